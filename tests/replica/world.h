// A simulated ring whose nodes have a replica layer and a store that survives crashes.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pastry/identity/sha256.h"
#include "pastry/replica/fault_store.h"
#include "pastry/replica/memory_store.h"
#include "pastry/replica/replica.h"
#include "pastry/sim/simulator.h"

namespace pastry::replica::test {

using sim::NodeIndex;

// A memory store behind one that fails on demand.
struct TestStore final : Store {
  explicit TestStore(const Hash& hash) : memory(hash), faults(memory) {}
  void apply(std::span<const StorageRequest> requests,
             std::vector<StorageCompletion>& completions) override {
    for (const StorageRequest& request : requests) {
      const auto* get = std::get_if<StoreGet>(&request.operation);
      if (get != nullptr && get->with_value) ++values_read;
    }
    faults.apply(requests, completions);
  }
  std::uint64_t values_read = 0;
  MemoryStore memory;
  FaultStore faults;
};

class World {
 public:
  static sim::SimulatorOptions defaults(std::uint64_t seed) {
    sim::SimulatorOptions options;
    options.seed = seed;
    options.config = Config::lan();
    options.config.leaf_set = 8;
    options.check_told = true;
    return options;
  }

  explicit World(std::uint64_t seed, sim::SimulatorOptions setup) : chance_(seed) {
    setup.hash = &hash;
    setup.applications = [this](sim::Simulator& s, NodeIndex node, Node&) {
      if (const auto found = impostors.find(node); found != impostors.end()) {
        s.add_application(node, kReplicaApplication, *found->second);
        return;
      }
      s.add_application(node, kReplicaApplication, std::make_unique<Replica>(hash, options));
    };
    setup.stores = [this](NodeIndex) { return std::make_unique<TestStore>(hash); };
    simulator_ = std::make_unique<sim::Simulator>(std::move(setup));
  }
  explicit World(std::uint64_t seed) : World(seed, defaults(seed)) {}

  sim::Simulator* operator->() { return simulator_.get(); }
  sim::Simulator& simulator() { return *simulator_; }
  Random& chance() { return chance_; }

  // Founds or joins so many nodes and waits until they are active.
  void grow(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) add(simulator_->add_node());
  }
  // Likewise one node at a random place, in a failure domain.
  void grow_in(const std::string& domain) {
    add(simulator_->add_node(Id(chance_.next(), chance_.next()), domain));
  }

  const std::vector<NodeIndex>& nodes() const { return nodes_; }
  NodeIndex some_active() {
    const auto& active = simulator_->active_nodes();
    auto found = active.begin();
    std::advance(found, static_cast<std::ptrdiff_t>(chance_.below(active.size())));
    return found->second;
  }
  void crash(NodeIndex node) { simulator_->crash(node); }
  // And waits until it is active.
  void restart(NodeIndex node) {
    const NodeIndex seed = some_active();
    simulator_->restart(node, std::span<const NodeIndex>(&seed, 1));
    REQUIRE(simulator_->run_until([&] { return simulator_->active(node); },
                                  simulator_->now() + minutes(2)));
  }

  Replica& replica(NodeIndex node) {
    return static_cast<Replica&>(*simulator_->application(node, kReplicaApplication));
  }
  TestStore& store(NodeIndex node) { return static_cast<TestStore&>(*simulator_->store(node)); }

  StoreName name() {
    StoreName made;
    for (auto& byte : made.bytes) byte = static_cast<std::uint8_t>(chance_.below(256));
    return made;
  }
  Payload bytes(std::size_t size) {
    Bytes made(size);
    for (auto& byte : made) byte = static_cast<std::uint8_t>(chance_.next());
    return Payload(std::move(made));
  }

  // Starts an operation at a node and runs until its callback.
  template <typename T, typename Start>
  Result<T> wait(NodeIndex node, Start&& start, Duration limit = minutes(3)) {
    auto answer = std::make_shared<std::optional<Result<T>>>();
    simulator_->run(node, ApplicationId{77}, [&](Context context) {
      start(context, [answer](Context c, Result<T> result) {
        CHECK(c.application() == ApplicationId{77});
        CHECK(!answer->has_value());
        *answer = std::move(result);
      });
      CHECK(!answer->has_value());
    });
    simulator_->run_until([&] { return answer->has_value(); }, simulator_->now() + limit);
    if (!answer->has_value()) return fail(ErrorCode::failed, "the callback was never called");
    return **answer;
  }

  Result<PutResult> put(NodeIndex at, const StoreName& name, Payload value, int k = 3,
                        int at_least = 0) {
    return wait<PutResult>(at, [&](Context context, Callback<PutResult> done) {
      BlobOptions blob;
      blob.copies.k = k;
      blob.copies.at_least = at_least;
      blob.meta = {1, 2, 3};
      replica(at).put_blob(context, name, std::move(value), blob, done);
    });
  }
  Result<Blob> fetch(NodeIndex at, const StoreName& name) {
    return wait<Blob>(
        at, [&](Context context, Callback<Blob> done) { replica(at).fetch(context, name, done); });
  }
  Result<Whereabouts> where(NodeIndex at, const StoreName& name) {
    return wait<Whereabouts>(at, [&](Context context, Callback<Whereabouts> done) {
      replica(at).where(context, name, done);
    });
  }
  Result<PutResult> remove(NodeIndex at, const StoreName& name) {
    return wait<PutResult>(at, [&](Context context, Callback<PutResult> done) {
      replica(at).remove(context, name, done);
    });
  }
  Result<RecordResult> update(NodeIndex at, const StoreName& name, std::uint64_t expected,
                              Bytes value, int k = 3, int at_least = 0) {
    return wait<RecordResult>(at, [&](Context context, Callback<RecordResult> done) {
      replica(at).update_record(context, name, expected, std::move(value), {k, at_least, {}}, done);
    });
  }
  Result<Record> read(NodeIndex at, const StoreName& name) {
    return wait<Record>(at, [&](Context context, Callback<Record> done) {
      replica(at).read_record(context, name, done);
    });
  }

  // What a node's store says of an entry, from outside.
  std::optional<EntryInfo> held(NodeIndex node, const StoreName& name) {
    if (simulator_->store(node) == nullptr) return std::nullopt;
    StorageRequest request{simulator_->id(node), kReplicaApplication, 1, StoreGet{name}};
    std::vector<StorageCompletion> done;
    store(node).memory.apply(std::span<const StorageRequest>(&request, 1), done);
    if (!done[0].result) return std::nullopt;
    const auto info = entry_info(std::get<StoreGetDone>(*done[0].result).entry);
    return info ? std::optional<EntryInfo>(*info) : std::nullopt;
  }

  // The replica set as the root of the key sees it.
  std::set<NodeIndex> chosen(const StoreName& name, int k) {
    std::set<NodeIndex> nodes;
    simulator_->run(closest(name.key(), 1)[0], ApplicationId{77}, [&](Context context) {
      for (const Handle member : context.replica_set(name.key(), k)) {
        nodes.insert(simulator_->node_of(member));
      }
    });
    return nodes;
  }

  // The k live nodes closest to the key by the simulator's own list.
  std::vector<NodeIndex> closest(const Key& key, std::size_t k) {
    std::vector<std::pair<NodeId, NodeIndex>> all(simulator_->active_nodes().begin(),
                                                  simulator_->active_nodes().end());
    std::sort(all.begin(), all.end(),
              [&](const auto& a, const auto& b) { return closer(key, a.first, b.first); });
    std::vector<NodeIndex> nodes;
    for (std::size_t i = 0; i < std::min(k, all.size()); ++i) nodes.push_back(all[i].second);
    return nodes;
  }

  // Live nodes that hold the entry, tombstones not counted.
  std::set<NodeIndex> holders(const StoreName& name) {
    std::set<NodeIndex> found;
    for (const auto& [id, node] : simulator_->active_nodes()) {
      const auto entry = held(node, name);
      if (entry && !entry->meta.tombstone) found.insert(node);
    }
    return found;
  }
  bool on_exactly_its_set(const StoreName& name, std::size_t k) {
    const auto set = closest(name.key(), k);
    return holders(name) == std::set<NodeIndex>(set.begin(), set.end());
  }

  identity::Sha256 hash;
  Options options;
  // What runs on these nodes in place of the replica layer, from their next start on.
  std::map<NodeIndex, Application*> impostors;

 private:
  void add(NodeIndex node) {
    nodes_.push_back(node);
    if (nodes_.size() == 1) {
      simulator_->found(node);
    } else {
      simulator_->join(node, some_active());
    }
    REQUIRE(simulator_->run_until([&] { return simulator_->active(node); },
                                  simulator_->now() + minutes(2)));
  }

  Random chance_;
  std::unique_ptr<sim::Simulator> simulator_;
  std::vector<NodeIndex> nodes_;
};

}  // namespace pastry::replica::test
