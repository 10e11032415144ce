#include "apps/sim/services/store_view.h"

#include <algorithm>

#include "pastry/core/application_ids.h"

namespace pastry::cli {

namespace {

std::optional<StoreGetDone> look_up(const sim::Simulator& simulator, sim::NodeIndex node,
                                    const StoreName& name, bool with_value) {
  Store* store = simulator.store(node);
  if (store == nullptr) return std::nullopt;
  StoreGet get;
  get.name = name;
  get.with_value = with_value;
  const StorageRequest request{simulator.id(node), kReplicaApplication, 1, get};
  std::vector<StorageCompletion> done;
  store->apply(std::span(&request, 1), done);
  if (done.empty() || !done.front().result) return std::nullopt;
  return std::get<StoreGetDone>(*done.front().result);
}

}  // namespace

std::optional<replica::EntryInfo> held(const sim::Simulator& simulator, sim::NodeIndex node,
                                       const StoreName& name) {
  const auto got = look_up(simulator, node, name, false);
  if (!got) return std::nullopt;
  const auto info = replica::entry_info(got->entry);
  return info ? std::optional(*info) : std::nullopt;
}

Payload held_value(const sim::Simulator& simulator, sim::NodeIndex node, const StoreName& name) {
  const auto got = look_up(simulator, node, name, true);
  return got ? got->value : Payload();
}

std::vector<sim::NodeIndex> closest_active(const sim::Simulator& simulator, const Key& key,
                                           std::size_t count) {
  std::vector<std::pair<NodeId, sim::NodeIndex>> all(simulator.active_nodes().begin(),
                                                     simulator.active_nodes().end());
  std::sort(all.begin(), all.end(),
            [&](const auto& a, const auto& b) { return closer(key, a.first, b.first); });
  std::vector<sim::NodeIndex> nodes;
  for (const auto& [id, node] : all) {
    if (nodes.size() < count) nodes.push_back(node);
  }
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

}  // namespace pastry::cli
