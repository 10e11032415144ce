#include "apps/sim/services/topic_work.h"

namespace pastry::cli {

void TopicWork::started(sim::NodeIndex, scribe::Scribe&) {}
void TopicWork::work(sim::NodeIndex, Random&) {}
void TopicWork::gone(sim::NodeIndex) {}
void TopicWork::examine() {}
std::string TopicWork::unrest() { return {}; }
void TopicWork::count(sim::fuzz::GuestFigures&) const {}

}  // namespace pastry::cli
