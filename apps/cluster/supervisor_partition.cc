// Partitions of a test cluster: each process is told whose messages to drop (the node method
// "block"), which needs no privileges and works the same with and without emulated delays.
#include <algorithm>
#include <random>
#include <utility>

#include "apps/cluster/supervisor.h"
#include "apps/control/client.h"

namespace pastry::cluster {
namespace {

using control::Json;

constexpr std::chrono::seconds kPatience{3};
constexpr std::size_t kSidesMax = 8;

}  // namespace

std::size_t Supervisor::side_of(const Child& child) const {
  const auto found = sides_.find(child.index);
  return found == sides_.end() ? 0 : found->second;
}

// Whether what `from` sends to `to` is dropped.
bool Supervisor::cut_off(const Child& from, const Child& to) const {
  const std::size_t there = side_of(from);
  const std::size_t here = side_of(to);
  if (there == here) return false;
  return !one_way_ || there > here;
}

Result<void> Supervisor::apply_partition() {
  const std::vector<control::Entry> entries = runtime_->entries();
  for (const Child& child : children_) {
    if (child.state != ChildState::running) continue;
    Json ids = Json::array();
    for (const Child& other : children_) {
      if (!cut_off(other, child)) continue;
      for (const std::string& id : other.ids) ids.push_back(id);
    }
    const auto entry = std::find_if(entries.begin(), entries.end(), [&](const auto& candidate) {
      return candidate.kind == "node" && candidate.pid == child.pid;
    });
    if (entry == entries.end()) continue;
    auto client = control::Client::connect(entry->endpoint);
    if (!client) return tl::unexpected<Error>(client.error());
    const auto told =
        (*client)->ask("block", {{"ids", std::move(ids)}}, control::Deadline::in(kPatience));
    if (!told) return tl::unexpected<Error>(told.error());
  }
  return {};
}

// Sides for all processes at random, or the named ones against the others.
Result<void> Supervisor::choose_sides(const Json& params) {
  std::map<std::size_t, std::size_t> sides;
  const auto living = static_cast<std::size_t>(
      std::count_if(children_.begin(), children_.end(),
                    [](const Child& child) { return child.state != ChildState::dead; }));
  const auto targets = params.find("targets");
  if (targets != params.end() && targets->is_array() && !targets->empty()) {
    const auto chosen = choose(params, false);
    if (!chosen) return tl::unexpected<Error>(chosen.error());
    if (chosen->size() == living) {
      return fail(ErrorCode::invalid, "every process is named: nobody is left for the other side");
    }
    for (const std::size_t index : *chosen) sides[index] = 1;
  } else {
    const auto wanted = params.find("sides");
    const std::size_t count = wanted != params.end() && wanted->is_number_unsigned()
                                  ? wanted->get<std::size_t>()
                                  : std::size_t{2};
    if (count < 2 || count > kSidesMax) {
      return fail(ErrorCode::invalid, "sides: must be between 2 and 8");
    }
    if (living < 2) {
      return fail(ErrorCode::invalid, "fewer than two processes run: there is nothing to cut");
    }
    std::vector<std::size_t> order(children_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::random_device device;
    std::shuffle(order.begin(), order.end(), std::mt19937(device()));
    for (std::size_t i = 0; i < order.size(); ++i) sides[order[i]] = i % count;
  }
  sides_ = std::move(sides);
  const auto one_way = params.find("one_way");
  one_way_ = one_way != params.end() && one_way->is_boolean() && one_way->get<bool>();
  return {};
}

void Supervisor::partition(const Call& call, const Json& params) {
  if (auto chosen = choose_sides(params); !chosen) return call->error(chosen.error());
  if (auto applied = apply_partition(); !applied) return call->error(applied.error());
  Json nodes = Json::array();
  for (const Child& child : children_) {
    for (Json node : children_json({child.index})) {
      node["side"] = side_of(child);
      nodes.push_back(std::move(node));
    }
  }
  call->result({{"partitioned", std::move(nodes)}});
}

void Supervisor::heal(const Call& call, const Json&) {
  sides_.clear();
  one_way_ = false;
  if (auto applied = apply_partition(); !applied) return call->error(applied.error());
  std::vector<std::size_t> all;
  for (const Child& child : children_) all.push_back(child.index);
  call->result({{"healed", children_json(all)}});
}

}  // namespace pastry::cluster
