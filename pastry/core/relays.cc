#include "pastry/core/relays.h"

#include <algorithm>

namespace pastry {
namespace {

// More broken links than a leaf set has members are of no use.
constexpr std::size_t kRoutesMax = 128;

}  // namespace

void Relays::learn(Handle peer, Handle via, Time now) {
  for (Route& route : routes_) {
    if (route.peer != peer) continue;
    route.via = via;  // the way that worked last
    return;
  }
  if (routes_.size() == kRoutesMax) routes_.erase(routes_.begin());
  routes_.push_back({peer, via, now, {}, 0, false});
}

const Relays::Route* Relays::answered(Handle peer, std::uint32_t token, Time check_at) {
  if (token == 0) return nullptr;
  for (Route& route : routes_) {
    if (route.peer != peer || route.token != token) continue;
    route.straight = true;
    route.check_at = check_at;
    return &route;
  }
  return nullptr;
}

Relays::Route* Relays::due(Time now) {
  const auto found = std::find_if(routes_.begin(), routes_.end(),
                                  [now](const Route& route) { return route.check_at <= now; });
  return found == routes_.end() ? nullptr : &*found;
}

bool Relays::erase(Handle peer) {
  return std::erase_if(routes_, [peer](const Route& route) { return route.peer == peer; }) > 0;
}

std::vector<Handle> Relays::in_use() const {
  std::vector<Handle> relays;
  for (const Route& route : routes_) relays.push_back(route.via);
  return relays;
}

std::vector<Handle> Relays::lose(Handle via) {
  std::vector<Handle> peers;
  std::erase_if(routes_, [&](const Route& route) {
    if (route.via != via) return false;
    if (!route.straight) peers.push_back(route.peer);
    return true;
  });
  return peers;
}

Time Relays::deadline() const {
  Time at = kNever;
  for (const Route& route : routes_) at = std::min(at, route.check_at);
  return at;
}

void Relays::mark_handles(Directory& directory) const {
  for (const Route& route : routes_) {
    directory.mark(route.peer);
    directory.mark(route.via);
  }
}

}  // namespace pastry
