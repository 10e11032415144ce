// What a census says, as `pastry ring` and `pastry status` print it.
#pragma once

#include <nlohmann/json.hpp>

#include "apps/service/lookup_app.h"

namespace pastry::service {

// Whether every node's two neighbours are those in the sorted list of all nodes, and all nodes that
// anybody names answered.
bool ring_is_right(const Census& census);

nlohmann::json ring_json(const Census& census);
nlohmann::json status_json(const Census& census);

}  // namespace pastry::service
