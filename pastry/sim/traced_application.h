// Stands between a node and an application in the simulator: every upcall goes into the trace hash.
#pragma once

#include <memory>

#include "pastry/sim/simulator.h"

namespace pastry::sim {

class Simulator::TracedApplication final : public Application {
 public:
  // `owned` is `inner`, or null if somebody else keeps it.
  TracedApplication(Simulator& simulator, NodeIndex node, ApplicationId id, Application& inner,
                    std::unique_ptr<Application> owned)
      : simulator_(&simulator), inner_(&inner), owned_(std::move(owned)), node_(node), id_(id) {}

  ForwardDecision forward(Context context, ForwardedMessage& message) override;
  void deliver(Context context, const Delivery& message) override;
  void update(Context context, Handle node, PeerChange change) override;
  void activity(Context context, bool active) override;
  void peer_gone(Context context, Handle node) override;
  void route_outcome(Context context, OperationId operation, const RouteOutcome& outcome) override;
  void receive(Context context, const Incoming& message) override;
  void replied(Context context, OperationId operation, const Result<Payload>& answer) override;
  void timer(Context context, std::uint64_t cookie) override;
  void stored(Context context, OperationId operation, const Result<StoreOutcome>& result) override;
  void mark_handles(Directory& directory) const override { inner_->mark_handles(directory); }

 private:
  void trace(std::uint64_t upcall, std::uint64_t detail) const {
    simulator_->trace(upcall, node_,
                      (std::uint64_t{static_cast<std::uint32_t>(id_)} << 32) ^ detail);
  }

  Simulator* simulator_;
  Application* inner_;
  std::unique_ptr<Application> owned_;
  NodeIndex node_;
  ApplicationId id_;
};

}  // namespace pastry::sim
