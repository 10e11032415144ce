#include "pastry/sim/fuzz/talker.h"

namespace pastry::sim::fuzz {

class Talk::Talker final : public Application {
 public:
  Talker(Talk& talk, NodeIndex node) : talk_(talk), node_(node) {}

  void deliver(Context, const Delivery& message) override {
    talk_.watcher_.delivered(node_, message);
  }
  void route_outcome(Context context, OperationId operation, const RouteOutcome& outcome) override {
    talk_.watcher_.answered(context.self(), operation);
    talk_.ended(context.self(), operation, outcome);
  }
  void receive(Context context, const Incoming& message) override {
    // Some answer later, some never: the asker must get along.
    if (message.request == 0 || message.request % 7 == 0) return;
    (void)context.reply(message.from, message.request, message.payload);
  }
  void replied(Context context, OperationId operation, const Result<Payload>&) override {
    talk_.watcher_.answered(context.self(), operation);
  }

 private:
  Talk& talk_;
  NodeIndex node_;
};

std::unique_ptr<Application> Talk::application(NodeIndex node) {
  return std::make_unique<Talker>(*this, node);
}

Key Talk::some_key(Random& random) const {
  const Key any = random.id();
  const NodeIndex node{static_cast<std::uint32_t>(random.below(simulator_.size()))};
  switch (random.below(4)) {
    case 0:
      return any;
    case 1:
      return simulator_.id(node);
    case 2:
      return simulator_.id(node) + Id(0, random.below(3) + 1);
    default:  // near the node, or far inside a dense gap
      return simulator_.id(node) + Id(0, any.low() >> random.below(40));
  }
}

void Talk::look_up(NodeIndex node, std::uint32_t count, std::uint64_t salt) {
  if (simulator_.status(node) != NodeStatus::up) return;
  Random random(salt);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Key key = some_key(random);
    RouteOptions options;
    options.wants_outcome = true;
    if (random.below(3) == 0) {
      options.kind = LookupKind::replica;
      options.replicas = 1 + static_cast<int>(random.below(
                                 static_cast<std::uint64_t>(simulator_.config().replicas_max())));
    }
    simulator_.run(node, kTalker, [&](Context context) {
      const Result<OperationId> operation = context.route(key, Watcher::payload_for(key), options);
      if (!operation) return;  // too many are pending
      ++lookups_;
      watcher_.asked(context.self(), *operation);
    });
  }
}

void Talk::ask_neighbours(NodeIndex node, std::uint32_t count, std::uint64_t salt) {
  if (simulator_.status(node) != NodeStatus::up) return;
  Random random(salt);
  simulator_.run(node, kTalker, [&](Context context) {
    const std::vector<Handle> neighbours = context.neighbor_set(32);
    if (neighbours.empty()) return;
    for (std::uint32_t i = 0; i < count; ++i) {
      const Handle peer = neighbours[random.below(neighbours.size())];
      const Result<OperationId> operation =
          context.request(peer, Payload::copy_of("how are you?"), seconds(5));
      if (operation) watcher_.asked(context.self(), *operation);
    }
  });
}

// What was asked before the ring was right may still end otherwise; so may what no longer fits into
// a list that the plan made tiny.
bool Talk::must_succeed() const {
  const Config& config = simulator_.config();
  return simulator_.now() - config.route_deadline > demanded_from_ &&
         config.unacknowledged_max >= Config().unacknowledged_max;
}

void Talk::ended(Handle asker, OperationId operation, const RouteOutcome& outcome) {
  if (outcome.result == RouteResult::delivered) {
    ++delivered_;
  } else if (must_succeed()) {
    watcher_.fail("lookups-succeed", "lookup " + std::to_string(operation) + " of " +
                                         watcher_.who(asker) + " ended as " +
                                         std::to_string(static_cast<int>(outcome.result)) +
                                         " in a ring that is right");
  }
}

}  // namespace pastry::sim::fuzz
