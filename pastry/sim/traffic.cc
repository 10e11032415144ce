#include "pastry/sim/traffic.h"

#include "pastry/sim/message_visit.h"

namespace pastry::sim {

namespace {

enum class Purpose : std::uint8_t { lookup, lookup_ack, control };

template <typename Kind>
constexpr std::size_t index_of() {
  return Message(Kind{}).index();
}

Purpose purpose(std::size_t kind) {
  static const std::size_t routed = index_of<Routed>();
  static const std::size_t outcome = index_of<Outcome>();
  static const std::size_t direct = index_of<Direct>();
  static const std::size_t ack = index_of<HopAck>();
  if (kind == routed || kind == outcome || kind == direct) return Purpose::lookup;
  return kind == ack ? Purpose::lookup_ack : Purpose::control;
}

}  // namespace

Traffic::Traffic(const SimulatorCounters& counters) : by_kind(counters.by_kind) {
  for (std::size_t kind = 0; kind < kMessageKinds; ++kind) {
    switch (purpose(kind)) {
      case Purpose::lookup:
        lookups += by_kind[kind];
        break;
      case Purpose::lookup_ack:
        lookup_acks += by_kind[kind];
        break;
      case Purpose::control:
        control += by_kind[kind];
        break;
    }
  }
}

std::vector<std::pair<std::size_t, std::uint64_t>> Traffic::control_by_index(
    const Traffic& before) const {
  std::vector<std::pair<std::size_t, std::uint64_t>> sent;
  for (std::size_t kind = 0; kind < kMessageKinds; ++kind) {
    const std::uint64_t count = by_kind[kind] - before.by_kind[kind];
    if (count != 0 && purpose(kind) == Purpose::control) sent.emplace_back(kind, count);
  }
  return sent;
}

std::vector<std::pair<std::string, std::uint64_t>> Traffic::control_since(
    const Traffic& before) const {
  std::vector<std::pair<std::string, std::uint64_t>> sent;
  for (const auto& [kind, count] : control_by_index(before)) {
    sent.emplace_back(message_kind(kind), count);
  }
  return sent;
}

}  // namespace pastry::sim
