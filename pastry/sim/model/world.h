// One state of the model: nodes, what is on its way between them, and what may happen next.
//
// The nodes are the production nodes, copied when one of them takes a step; states share the others
// and all messages. Copies are cheap and values: no step changes a state that somebody still has.
//
// What is modelled: messages between two nodes arrive in the order in which they were sent, or not
// at all if the receiver crashed; everything else may interleave in any way. Time stands still
// while a message is on its way; when none is, it jumps to the next deadline of any node. So what
// is covered are all orders of events that are not caused by delays longer than the timers; false
// suspicion is not (that is what the random simulations are for).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/node.h"

namespace pastry::sim::model {

inline constexpr std::size_t kNodesMax = 5;

// What may happen next in a state: the delivery of the first message of a channel, a crash, or the
// passing of time. A bit of a 64-bit set.
class Choice {
 public:
  static Choice deliver(std::size_t from, std::size_t to) {
    return Choice(static_cast<std::uint8_t>(from * kNodesMax + to));
  }
  static Choice crash(std::size_t node) {
    return Choice(static_cast<std::uint8_t>(kNodesMax * kNodesMax + node));
  }
  static Choice tick() { return Choice(kNodesMax * kNodesMax + kNodesMax); }
  static Choice from_bit(int bit) { return Choice(static_cast<std::uint8_t>(bit)); }

  std::uint64_t bit() const { return std::uint64_t{1} << value_; }
  bool is_delivery() const { return value_ < kNodesMax * kNodesMax; }
  bool is_tick() const { return value_ == kNodesMax * kNodesMax + kNodesMax; }
  std::size_t from() const { return value_ / kNodesMax; }
  // The node that it changes; not for tick().
  std::size_t node() const { return value_ % kNodesMax; }

  // Whether the order of two choices makes no difference: they change different nodes. A delivery
  // takes from the front of channels and adds to the back of others, so two of them never disturb
  // each other.
  static bool independent(Choice a, Choice b) {
    return !a.is_tick() && !b.is_tick() && a.node() != b.node();
  }

 private:
  explicit Choice(std::uint8_t value) : value_(value) {}
  std::uint8_t value_;
};

// What all states of a model have in common; must outlive them.
struct Frame {
  Config config;
  Directory directory;
  std::vector<Handle> handles;  // by node; of the incarnation that runs
  std::vector<Key> probes;      // keys at which the ranges of the nodes are compared; at most 64

  std::size_t nodes() const { return handles.size(); }
  // The node whose process has this handle, of whatever incarnation; nodes() if none.
  std::size_t node_of(Handle handle) const;
};

// What tells a letter from others: who sent it counts, because a node treats the same words of
// different senders differently.
std::uint64_t digest_of(Handle from, const Message& message);

class World {
 public:
  explicit World(Frame& frame);

  // --- Setting up ---

  void found(std::size_t node);
  void join(std::size_t node, const std::vector<Handle>& seeds, bool remembered);
  // Gone for ever, with what was on its way to it.
  void crash(std::size_t node);
  // Takes the same node's place with a new incarnation; the frame has its handle.
  void start(std::size_t node);

  // --- Exploring ---

  // Set of choices.
  std::uint64_t deliveries() const;
  bool quiet() const { return deliveries() == 0; }
  void take(Choice choice);
  // What the choice is in this state, for people.
  std::string describe(Choice choice) const;

  bool runs(std::size_t node) const { return nodes_[node] != nullptr; }
  const Node& node(std::size_t node) const { return *nodes_[node]->node; }
  bool active(std::size_t node) const { return runs(node) && nodes_[node]->active; }
  // Set of the frame's probes that the node would deliver now.
  std::uint64_t delivers(std::size_t node) const { return runs(node) ? nodes_[node]->delivers : 0; }
  Time now() const { return now_; }

  // Equal for states from which the same can happen; of different ones with the probability of a
  // random 64-bit number.
  std::uint64_t hash() const;

 private:
  struct Held {
    std::unique_ptr<Node> node;
    std::uint64_t digest = 0;
    std::uint64_t delivers = 0;
    bool active = false;
  };
  struct Letter {
    std::shared_ptr<const Message> message;
    Handle from = kNoHandle;
    std::uint64_t digest = 0;
  };
  using Channel = std::vector<Letter>;

  Channel& channel(std::size_t from, std::size_t to) { return channels_[from * kNodesMax + to]; }
  const Channel& channel(std::size_t from, std::size_t to) const {
    return channels_[from * kNodesMax + to];
  }
  void deliver(std::size_t from, std::size_t to);
  void tick();
  // A copy of the node takes a step.
  template <typename Action>
  void step(std::size_t node, std::uint64_t input, Action&& action);

  Frame* frame_;
  std::vector<std::shared_ptr<const Held>> nodes_;
  std::vector<Channel> channels_;
  Time now_{std::chrono::hours(1)};
};

}  // namespace pastry::sim::model
