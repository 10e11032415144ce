#include "apps/sim/services/survival.h"

#include <algorithm>

namespace pastry::cli {

Survival::Survival(Time now, Duration patience, std::size_t wanted, std::size_t live)
    : patience_(patience), wanted_(wanted), deaths_(wanted - std::min(wanted, live)), last_(now) {}

void Survival::death(Time now, std::size_t live) {
  if (live >= wanted_ && now - last_ > patience_) deaths_ = 0;
  ++deaths_;
  last_ = now;
}

}  // namespace pastry::cli
