#include "pastry/sim/traced_application.h"

namespace pastry::sim {

namespace {

// What is traced; part of the trace hash's definition. Simulator's own entries use small numbers.
enum Upcall : std::uint64_t {
  kForward = 0x100,
  kDeliver,
  kUpdate,
  kActivity,
  kPeerGone,
  kOutcome,
  kReceive,
  kReplied,
  kTimer,
  kStored,
};

}  // namespace

ForwardDecision Simulator::TracedApplication::forward(Context context, ForwardedMessage& message) {
  trace(kForward, message.hops);
  simulator_->trace_.add(message.key);
  const ForwardDecision decision = inner_->forward(context, message);
  trace(kForward, static_cast<std::uint64_t>(decision));
  return decision;
}

void Simulator::TracedApplication::deliver(Context context, const Delivery& message) {
  trace(kDeliver, message.hops);
  simulator_->trace_.add(message.key);
  simulator_->trace_.add(message.sequence);
  simulator_->trace_.add(message.payload.view());
  if (simulator_->hooks.delivery) simulator_->hooks.delivery(node_, id_, message);
  inner_->deliver(context, message);
}

void Simulator::TracedApplication::update(Context context, Handle node, PeerChange change) {
  trace(kUpdate, static_cast<std::uint64_t>(change));
  simulator_->trace_.add(context.id(node));
  inner_->update(context, node, change);
}

void Simulator::TracedApplication::activity(Context context, bool active) {
  trace(kActivity, active ? 1 : 0);
  inner_->activity(context, active);
}

void Simulator::TracedApplication::peer_gone(Context context, Handle node) {
  trace(kPeerGone, 0);
  simulator_->trace_.add(context.id(node));
  inner_->peer_gone(context, node);
}

void Simulator::TracedApplication::route_outcome(Context context, OperationId operation,
                                                 const RouteOutcome& outcome) {
  trace(kOutcome, static_cast<std::uint64_t>(outcome.result));
  simulator_->trace_.add(operation);
  inner_->route_outcome(context, operation, outcome);
}

void Simulator::TracedApplication::receive(Context context, const Incoming& message) {
  trace(kReceive, message.request);
  simulator_->trace_.add(message.payload.view());
  inner_->receive(context, message);
}

void Simulator::TracedApplication::replied(Context context, OperationId operation,
                                           const Result<Payload>& answer) {
  trace(kReplied, answer ? 0 : 1 + static_cast<std::uint64_t>(answer.error().code));
  simulator_->trace_.add(operation);
  if (answer) simulator_->trace_.add(answer->view());
  inner_->replied(context, operation, answer);
}

void Simulator::TracedApplication::timer(Context context, std::uint64_t cookie) {
  trace(kTimer, 0);
  simulator_->trace_.add(cookie);
  inner_->timer(context, cookie);
}

void Simulator::TracedApplication::stored(Context context, OperationId operation,
                                          const Result<StoreOutcome>& result) {
  trace(kStored, result ? result->index() : 0x80 + static_cast<std::uint64_t>(result.error().code));
  simulator_->trace_.add(operation);
  inner_->stored(context, operation, result);
}

}  // namespace pastry::sim
