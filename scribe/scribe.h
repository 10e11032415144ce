// SCRIBE: application-level multicast on the common API.
//
// Source: [SCRIBE] Castro, Druschel, Kermarrec, Rowstron, JSAC 2002. A topic is a tree made of the
// routes from its subscribers to the root of its groupId; messages go to the root, which numbers
// them, and down the tree.
//
// What it promises in this version:
// - While nobody dies nothing is dropped: every hop has credit, a full subscriber stops its parent,
//   in the end the root, which then delays the publisher's acknowledgement.
// - Each subscriber gets a publisher's messages in the order in which they were published and none
//   twice, also when parents or the root change. What a subscriber missed is resent by its new
//   parent; what no new parent has any more is reported as a gap.
// - A message published after a subscription was reported attached reaches that subscriber.
// Differences from the paper: positions are (root epoch, offset); the root's state is a record of
// the replica layer; the join acknowledgement comes only when the path to the root is confirmed and
// carries that path.
//
// Use: one Scribe per node, registered under kScribeApplication. Downcalls take the Context of the
// current upcall (Node::run); callbacks run on the node's loop and must be short. No callback comes
// from within the downcall that caused it, except that publish() reports its own refusal by value.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pastry/core/application.h"
#include "scribe/position.h"
#include "scribe/settings.h"

namespace scribe {

using pastry::Context;
using pastry::Handle;
using pastry::Key;
using pastry::NodeId;
using pastry::Payload;
using pastry::Result;

class RootRegistry;

inline constexpr std::size_t kTopicNameMax = 255;
// Largest payload of a message; leaves room for SCRIBE's header in Config::payload_max.
inline constexpr std::size_t kMessageMax = 63 * 1024;

// A local subscription of a node. Never 0.
using SubscriptionId = std::uint64_t;

// A message as a subscriber gets it.
struct TopicMessage {
  Key group;
  NodeId publisher;            // the node where it was published
  std::uint64_t session = 0;   // changes when the publishing node starts anew
  std::uint64_t sequence = 0;  // per publisher, session and topic; consecutive
  Position position;
  Payload payload;  // shares the bytes of the frame that arrived
};

// Messages that this subscriber will not get.
struct Gap {
  Key group;
  Position after;             // the last position received
  Position before;            // the next one that will be received
  std::uint64_t missing = 0;  // how many at least; 0 if unknown
};

// The receiving end of a subscription; must live until unsubscribe().
class Subscriber {
 public:
  virtual ~Subscriber() = default;

  // Once, when the node is in the tree and its path to the root is confirmed.
  virtual void attached(Context context, const Key& group) = 0;
  // May call consumed(), unsubscribe() and publish().
  virtual void message(Context context, const TopicMessage& message) = 0;
  virtual void gap(Context context, const Gap& gap) = 0;
};

// Called once per accepted publish, in the order of the publishes of a topic: when the root and all
// its children have the message, or with timed_out (then it is not known who got it).
using PublishCallback = std::function<void(Context, const Result<void>&)>;

// What a node knows about a topic from its own state.
struct TopicView {
  Key group;
  std::string name;  // empty if this node has not learnt it
  bool in_tree = false;
  bool attached = false;
  bool root = false;
  NodeId root_id;            // valid if attached
  NodeId parent;             // valid if attached and not root
  std::vector<NodeId> path;  // from the root to the parent
  std::vector<NodeId> children;
  std::size_t subscribers = 0;  // local ones
  Position head;                // the last message received
  // Counters since the node entered the tree.
  std::uint64_t received = 0;    // messages accepted from the parent or from publishers
  std::uint64_t delivered = 0;   // to local subscribers
  std::uint64_t duplicates = 0;  // dropped
  std::uint64_t resent = 0;      // segments repeated to children
  std::uint64_t lost = 0;        // missing messages reported as gaps
  std::uint64_t parent_changes = 0;
  std::size_t buffered_bytes = 0;
};

// One node of a topic's tree as a walk found it.
struct TreeMember {
  NodeId id;
  NodeId parent;  // of the root: its own id
  std::uint32_t depth = 0;
  std::uint32_t children = 0;
  std::uint32_t subscribers = 0;
  Position head;
  std::uint64_t received = 0;
  std::uint64_t lost = 0;
};

// Parents before their children. `truncated`: there were more members than fit, or some did not
// answer in time.
struct Tree {
  Key group;
  std::vector<TreeMember> members;
  bool truncated = false;
};

using TreeCallback = std::function<void(Context, const Result<Tree>&)>;

class Scribe final : public pastry::Application {
 public:
  // `settings` and `registry` must outlive this. `registry` keeps the roots' states (see
  // root_registry.h); nullptr: epochs are only agreed upon with the nodes of the tree.
  explicit Scribe(const Settings& settings, RootRegistry* registry = nullptr);
  ~Scribe() override;

  // groupId = hash(overlay, topic).
  Key group(std::string_view topic) const;

  // Joins the tree of `topic` (1 … kTopicNameMax bytes). `credit`: messages that may be delivered
  // before consumed() is called for them. Errors: invalid, full (topics_max).
  Result<SubscriptionId> subscribe(Context context, std::string_view topic, Subscriber& subscriber,
                                   std::size_t credit = 1024);
  // The subscriber gets no further call. Unknown ids are ignored.
  void unsubscribe(Context context, SubscriptionId subscription);
  // The subscriber is done with `count` messages and can take as many more.
  void consumed(Context context, SubscriptionId subscription, std::size_t count);

  // Sends `payload` to the topic; returns its sequence number. Errors: invalid (topic), too_large,
  // full (publish_messages or publish_bytes wait for acknowledgement: try again after a callback).
  Result<std::uint64_t> publish(Context context, std::string_view topic, Payload payload,
                                PublishCallback done);
  // Publishes of `topic` at this node that wait for their acknowledgement.
  std::size_t unacknowledged(std::string_view topic) const;

  TopicView topic_info(Context context, std::string_view topic) const;
  // Collects the whole tree from its root; exactly one callback. Errors: not_found (no such tree),
  // timed_out, full.
  void collect_tree(Context context, std::string_view topic, TreeCallback done);

  // Topics for which this node keeps tree state.
  std::size_t topic_count() const;
  // Of all topics: messages kept for children that come back, and waiting at a root.
  std::uint64_t buffered_bytes() const;
  // Whether it keeps nothing at all.
  bool idle() const;

  // --- Upcalls ---
  pastry::ForwardDecision forward(Context context, pastry::ForwardedMessage& message) override;
  void deliver(Context context, const pastry::Delivery& message) override;
  void update(Context context, Handle node, pastry::PeerChange change) override;
  void activity(Context context, bool active) override;
  void peer_gone(Context context, Handle node) override;
  void receive(Context context, const pastry::Incoming& message) override;
  void replied(Context context, pastry::OperationId operation,
               const Result<Payload>& answer) override;
  void timer(Context context, std::uint64_t cookie) override;
  void mark_handles(pastry::Directory& directory) const override;

 private:
  struct State;
  State& state();

  const Settings* settings_;
  RootRegistry* registry_;
  std::unique_ptr<State> state_;  // made when first used
};

}  // namespace scribe
