// How bytes that are not text travel in JSON.
#pragma once

#include <string>
#include <string_view>

#include "pastry/core/payload.h"

namespace pastry::cli {

bool is_utf8(std::string_view text);
// Standard alphabet, padded.
std::string base64(ByteView bytes);

}  // namespace pastry::cli
