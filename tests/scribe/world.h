// A simulated ring whose nodes run SCRIBE, and what their subscribers got.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pastry/core/application_ids.h"
#include "pastry/replica/memory_store.h"
#include "pastry/replica/replica.h"
#include "pastry/sim/simulator.h"
#include "proximity/topology.h"
#include "scribe/replica_registry.h"
#include "scribe/root_registry.h"
#include "scribe/scribe.h"

namespace scribe::test {

using pastry::sim::NodeIndex;
using pastry::sim::Simulator;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Spreads names over the ring; not a cryptographic hash.
class TestHash final : public pastry::Hash {
 public:
  using pastry::Hash::digest;
  pastry::Digest digest(std::span<const pastry::ByteView> parts) const override {
    std::uint64_t state = 0xcbf29ce484222325ULL;
    for (const auto part : parts) {
      for (const std::uint8_t byte : part) state = (state ^ byte) * 0x100000001b3ULL;
    }
    pastry::Random random(state);
    pastry::Digest digest{};
    for (auto& byte : digest) byte = static_cast<std::uint8_t>(random.next());
    return digest;
  }
};

// Keeps the records in memory, for all nodes; answers after a delay, and fails on demand.
class FakeRegistry final : public RootRegistry {
 public:
  explicit FakeRegistry(Simulator*& simulator) : simulator_(&simulator) {}

  void claim(Context context, const Key& group, std::string_view topic, const Position& known,
             ClaimCallback done) override {
    ++claims;
    const bool fail = failures > 0 && failures-- > 0;
    Simulator& simulator = **simulator_;
    const NodeIndex node = simulator.node_of(context.self());
    const Handle incarnation = context.self();
    const std::string name(topic);
    simulator.at(simulator.now() + delay, [=, this, &simulator] {
      if (!simulator.running(node) || simulator.handle(node) != incarnation) return;
      const RootRecord copy = raise(group, name, known);
      simulator.run(node, pastry::kScribeApplication, [&](Context later) {
        if (fail) {
          done(later, pastry::fail(pastry::ErrorCode::unavailable, "injected"));
        } else {
          done(later, copy);
        }
      });
    });
  }

  std::map<Key, RootRecord> records;
  std::uint64_t claims = 0;
  int failures = 0;
  pastry::Duration delay = milliseconds(30);  // of claims from now on

 private:
  RootRecord raise(const Key& group, const std::string& topic, const Position& known) {
    RootRecord& record = records[group];
    record.made = record.topic.empty();
    if (record.topic.empty()) record.topic = topic;
    record.position.epoch = std::max(record.position.epoch, known.epoch) + 1;
    record.position.offset = std::max(record.position.offset, known.offset);
    return record;
  }

  Simulator** simulator_;
};

// A subscriber that checks order and duplicates as messages come.
class Reader final : public Subscriber {
 public:
  void attached(Context, const Key&) override { ++attached_count; }
  void message(Context context, const TopicMessage& message) override {
    const auto stream = std::make_pair(message.publisher, message.session);
    auto& last = last_sequence[stream];
    if (message.sequence <= last) ++duplicates;
    if (last != 0 && message.sequence > last + 1) holes += message.sequence - last - 1;
    last = message.sequence;
    if (message.position <= position) ++disorder;
    position = message.position;
    texts.emplace_back(message.payload.text());
    if (auto_consume && scribe != nullptr) scribe->consumed(context, subscription, 1);
  }
  void gap(Context, const Gap& gap) override {
    ++gaps;
    missing += gap.missing;
  }

  Scribe* scribe = nullptr;
  SubscriptionId subscription = 0;
  bool auto_consume = true;
  int attached_count = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t disorder = 0;
  std::uint64_t holes = 0;
  std::uint64_t gaps = 0;
  std::uint64_t missing = 0;
  Position position;
  std::map<std::pair<NodeId, std::uint64_t>, std::uint64_t> last_sequence;
  std::vector<std::string> texts;
};

struct WorldOptions {
  std::uint64_t seed = 1;
  int nodes = 24;
  int leaf_set = 8;
  // The roots' records: kept by the test, or by the replica layer of the nodes.
  bool replicated = false;
};

class World {
 public:
  explicit World(WorldOptions options) : registry(pointer_) {
    settings.hash = &hash_;
    settings.overlay = "test";
    pastry::sim::SimulatorOptions simulation;
    simulation.seed = options.seed;
    simulation.config = pastry::Config::lan();
    simulation.config.leaf_set = options.leaf_set;
    simulation.topology = proximity::make_uniform(milliseconds(2));
    simulation.hash = &hash_;
    simulation.stores = [this](NodeIndex) {
      return std::make_unique<pastry::replica::MemoryStore>(hash_);
    };
    const bool replicated = options.replicated;
    simulation.applications = [this, replicated](Simulator& simulator, NodeIndex node,
                                                 pastry::Node&) {
      RootRegistry* kept_by = &registry;
      if (replicated) {
        auto replica = std::make_unique<pastry::replica::Replica>(hash_, replica_options_);
        registries_.push_back(std::make_unique<ReplicaRegistry>(*replica));
        kept_by = replicated_[node] = registries_.back().get();
        simulator.add_application(node, pastry::kReplicaApplication, std::move(replica));
      }
      simulator.add_application(node, pastry::kScribeApplication,
                                std::make_unique<Scribe>(settings, kept_by));
    };
    simulator_ = std::make_unique<Simulator>(std::move(simulation));
    pointer_ = simulator_.get();
    simulator().found(add());
    for (int i = 1; i < options.nodes; ++i) {
      simulator().join(add(), nodes.front());
      if (i % 4 == 0) simulator().run_for(milliseconds(300));
    }
    REQUIRE(simulator().run_until([&] { return all_active(); }, simulator().now() + seconds(120)));
    simulator().run_for(seconds(3));
  }

  Simulator& simulator() { return *simulator_; }
  NodeIndex add() {
    nodes.push_back(simulator().add_node());
    return nodes.back();
  }
  bool all_active() {
    return std::all_of(nodes.begin(), nodes.end(), [&](NodeIndex node) {
      return !simulator().running(node) || simulator().active(node);
    });
  }
  Scribe& scribe(NodeIndex node) {
    return *static_cast<Scribe*>(simulator().application(node, pastry::kScribeApplication));
  }
  // With `replicated` only.
  ReplicaRegistry& replicated(NodeIndex node) { return *replicated_.at(node); }
  template <typename Action>
  void run(NodeIndex node, Action&& action) {
    simulator().run(node, pastry::kScribeApplication, std::forward<Action>(action));
  }

  Reader& subscribe(NodeIndex node, const std::string& topic, std::size_t credit = 256) {
    readers.push_back(std::make_unique<Reader>());
    Reader& reader = *readers.back();
    reader.scribe = &scribe(node);
    run(node, [&](Context context) {
      reader.subscription = scribe(node).subscribe(context, topic, reader, credit).value();
    });
    return reader;
  }
  void unsubscribe(NodeIndex node, Reader& reader) {
    run(node, [&](Context context) { scribe(node).unsubscribe(context, reader.subscription); });
  }
  // Counts acknowledgements and failures in `acknowledged`, `failed`. False if refused as full.
  bool publish(NodeIndex node, const std::string& topic, const std::string& text) {
    bool accepted = false;
    run(node, [&](Context context) {
      accepted = scribe(node)
                     .publish(context, topic, Payload::copy_of(text),
                              [this](Context, const Result<void>& result) {
                                ++(result ? acknowledged : failed);
                              })
                     .has_value();
    });
    return accepted;
  }
  TopicView view(NodeIndex node, const std::string& topic) {
    TopicView view;
    run(node, [&](Context context) { view = scribe(node).topic_info(context, topic); });
    return view;
  }
  NodeIndex node_of(const NodeId& id) {
    for (const NodeIndex node : nodes) {
      if (simulator().id(node) == id) return node;
    }
    return pastry::sim::kNoNode;
  }
  NodeIndex root_of(const std::string& topic) {
    const Key key = Scribe(settings).group(topic);
    NodeIndex best = pastry::sim::kNoNode;
    for (const auto& [id, node] : simulator().active_nodes()) {
      if (best == pastry::sim::kNoNode || pastry::closer(key, id, simulator().id(best))) {
        best = node;
      }
    }
    return best;
  }
  std::vector<NodeIndex> running() {
    std::vector<NodeIndex> up;
    for (const NodeIndex node : nodes) {
      if (simulator().running(node)) up.push_back(node);
    }
    return up;
  }

  // After quiescence: one root, the closest node; every node of the tree attached; parents and
  // children agree; following parents leads to the root without a circle.
  void check_tree(const std::string& topic) {
    const NodeIndex root = root_of(topic);
    std::map<NodeId, TopicView> views;
    for (const NodeIndex node : running()) {
      TopicView seen = view(node, topic);
      if (seen.in_tree) views[simulator().id(node)] = seen;
    }
    for (const auto& entry : views) {
      const NodeId& id = entry.first;
      const TopicView& seen = entry.second;
      CAPTURE(id.hex());
      CHECK(seen.attached);
      CHECK(seen.root == (id == simulator().id(root)));
      for (const NodeId& child : seen.children) {
        const bool agreed = views.contains(child) && views[child].parent == id;
        CHECK(agreed);
      }
      if (seen.root) continue;
      REQUIRE(views.contains(seen.parent));
      const auto& siblings = views[seen.parent].children;
      CHECK(std::find(siblings.begin(), siblings.end(), id) != siblings.end());
      NodeId at = id;
      std::size_t steps = 0;
      while (!views[at].root && steps <= views.size()) {
        at = views[at].parent;
        ++steps;
        REQUIRE(views.contains(at));
      }
      CHECK(steps <= views.size());
      CHECK(steps == seen.path.size());
    }
  }

  Simulator* pointer_ = nullptr;  // for the registry
  Settings settings;
  std::vector<NodeIndex> nodes;
  std::vector<std::unique_ptr<Reader>> readers;
  FakeRegistry registry;
  std::uint64_t acknowledged = 0;
  std::uint64_t failed = 0;

 private:
  TestHash hash_;
  pastry::replica::Options replica_options_;
  std::vector<std::unique_ptr<ReplicaRegistry>> registries_;
  std::map<NodeIndex, ReplicaRegistry*> replicated_;
  std::unique_ptr<Simulator> simulator_;
};

// Every reader has exactly `texts`, in order, once.
inline void check_all(const std::vector<Reader*>& readers, const std::vector<std::string>& texts) {
  for (const Reader* reader : readers) {
    CHECK(reader->texts == texts);
    CHECK(reader->duplicates == 0);
    CHECK(reader->disorder == 0);
    CHECK(reader->gaps == 0);
  }
}

// What one node publishes in a topic.
struct Publishing {
  World& world;
  NodeIndex node;
  std::string topic;
  std::vector<std::string> texts;

  // `count` messages, one each `period`, while the world goes on.
  void run(int count, pastry::Duration period) {
    for (int i = 0; i < count; ++i) {
      const std::string text = "message " + std::to_string(texts.size());
      if (world.publish(node, topic, text)) texts.push_back(text);
      world.simulator().run_for(period);
    }
  }
};

}  // namespace scribe::test
