// The invariants of a simulation, checked after every event at the node that moved.
//
// Shares no code with what it checks: the truth is the simulator's own list of active nodes. The
// first violation is kept, with the rule that it broke.
//
// In runs in which no live node can look dead, and in every run once it has healed:
//  correct-delivery  a consistent message is delivered by the active node closest to its key
//  one-root          a node takes itself for the root only of keys that it is the closest to
//  no-false-death    no active node is declared dead
//  one-grant         a joiner that runs is granted its place by one owner at a time
// Always:
//  inactive-silent   only active nodes deliver consistent messages
//  delivered-once    no node delivers the same message twice while it remembers it
//  right-bytes       what is delivered is what was sent
//  leaf-order        leaf set sorted, without self and duplicates, within its bound
//  table-slots       routing-table entries stand in their slots
//  reached-first     a routing-table entry was heard from
//  hop-progress      a hop lengthens the prefix or shrinks the distance; hop limit
//  caps              every list of a node and in a message is within its bound
//  back-off          a joiner does not ask again and again without a pause
//  copies-end        who is told that a message is done keeps no copy of it
//  own-stall         who was stopped does not take the others for dead (if nothing else is wrong)
//  accounting        each message was received, dropped for a cause, or is on its way
//  outcome-once      each question is answered once
//  told              nobody knows what no message told it
//  time              time advances
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "pastry/sim/fuzz/copy_ledger.h"
#include "pastry/sim/simulator.h"

namespace pastry::sim::fuzz {

struct Violation {
  Time at{};
  std::string rule;
  std::string what;
};

class Watcher {
 public:
  // Takes the simulator's hooks; must outlive its run. `crash_only`: no live node can look dead.
  Watcher(Simulator& simulator, bool crash_only);
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // From now on nothing deceives anybody: the rules of crash-only runs hold.
  void demand_all() { crash_only_ = true; }
  // Something in a crash-only run made that impossible: two rings may exist from now on.
  void excuse() { crash_only_ = false; }

  void fail(std::string rule, std::string what);
  const std::optional<Violation>& violation() const { return violation_; }

  // What the applications report.
  void asked(Handle asker, OperationId operation);
  void answered(Handle asker, OperationId operation);
  void delivered(NodeIndex node, const Delivery& delivery);
  // The node was stopped and goes on.
  void resumed(NodeIndex node);
  // The node ended; what it asked ended with it.
  void gone(Handle node);
  std::size_t unanswered() const { return questions_.size(); }

  std::uint64_t deliveries() const { return deliveries_; }
  // Not by the closest active node, counted where it is no violation.
  std::uint64_t incorrect() const { return incorrect_; }
  // The same message delivered by several nodes, one after the other.
  std::uint64_t repeated() const { return repeated_; }

  // The payload that belongs to a key.
  static Payload payload_for(const Key& key);
  std::string who(NodeIndex node) const;
  std::string who(Handle handle) const;

 private:
  void sent(NodeIndex from, Handle to, const Message& message);
  void moved(NodeIndex node);
  void arrived(NodeIndex to, Handle from, const Message& message);
  void told_of_copies(NodeIndex to, Handle from, const Message& message);
  void happened(NodeIndex node, const NodeEvent& event);

  void check_time();
  void check_accounting();
  void check_table(NodeIndex node);
  void check_load(NodeIndex node);
  void check_copies(NodeIndex node);
  void check_back_off(NodeIndex from, const JoinRequest& request);
  void check_coverage(NodeIndex node);
  void check_own_stall(NodeIndex node, Handle peer);
  bool sound_network() const;
  void check_hop(NodeIndex from, Handle to, const RouteHeader& header);
  void check_grant(NodeIndex from, const JoinGrant& grant, Handle joiner);
  bool runs(Handle node) const;
  bool in_gap(NodeIndex owner, const JoinGrant& grant, Handle joiner) const;
  void check_caps(NodeIndex from, const Message& message);

  struct MessageHash {
    std::size_t operator()(const std::pair<Handle, std::uint64_t>& message) const {
      return static_cast<std::size_t>(
          (message.second ^ (std::uint64_t{index(message.first)} << 32)) * 0x9e3779b97f4a7c15ULL);
    }
  };

  Simulator& simulator_;
  bool crash_only_;
  bool remembers_duplicates_;
  std::optional<Violation> violation_;
  Time last_time_{};
  std::uint64_t events_then_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t deliveries_ = 0;
  std::uint64_t incorrect_ = 0;
  std::uint64_t repeated_ = 0;
  std::map<std::pair<Handle, OperationId>, Time> questions_;
  struct Delivered {
    Handle by = kNoHandle;
    Time at{};
  };
  std::unordered_map<std::pair<Handle, std::uint64_t>, Delivered, MessageHash> seen_;
  std::map<Handle, Handle> granted_by_;  // by joiner: the owner of its gap
  struct Asking {
    Time last{};
    unsigned hasty = 0;  // requests without a pause
  };
  std::map<Handle, Asking> asking_;            // by joiner
  std::map<Handle, std::vector<bool>> heard_;  // by incarnation: from whom, by handle
  std::map<Handle, Time> resumed_;
  CopyLedger copies_;
  bool copies_ended_ = false;  // with the message that is being received
};

}  // namespace pastry::sim::fuzz
