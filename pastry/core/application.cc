#include "pastry/core/application.h"

namespace pastry {

ForwardDecision Application::forward(Context, ForwardedMessage&) { return ForwardDecision::pass; }
void Application::update(Context, Handle, PeerChange) {}
void Application::activity(Context, bool) {}
void Application::peer_gone(Context, Handle) {}
void Application::route_outcome(Context, OperationId, const RouteOutcome&) {}
void Application::receive(Context, const Incoming&) {}
void Application::replied(Context, OperationId, const Result<Payload>&) {}
void Application::timer(Context, std::uint64_t) {}
void Application::stored(Context, OperationId, const Result<StoreOutcome>&) {}
void Application::mark_handles(Directory&) const {}

}  // namespace pastry
