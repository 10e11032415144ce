#include "apps/sim/fuzz_guests.h"

#include "apps/sim/services/services.h"
#include "pastry/sim/fuzz/plan.h"

namespace pastry::cli {

sim::fuzz::GuestsFactory fuzz_guests() {
  return [](const sim::fuzz::Plan& plan) -> std::unique_ptr<sim::fuzz::Guests> {
    if (!plan.files && !plan.topics) return nullptr;
    return std::make_unique<Services>(plan.files, plan.topics);
  };
}

}  // namespace pastry::cli
