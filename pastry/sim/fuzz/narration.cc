#include "pastry/sim/fuzz/narration.h"

#include <array>

#include "pastry/core/message_handles.h"
#include "pastry/sim/message_visit.h"

namespace pastry::sim::fuzz {
namespace {

std::string short_hex(const Id& id) { return id.hex().substr(0, 8) + "…" + id.hex().substr(28); }

class Teller {
 public:
  Teller(Simulator& simulator, Narrator narrator)
      : simulator_(&simulator), narrator_(std::move(narrator)), start_(simulator.now()) {}

  void tell(const std::string& line) const { narrator_(simulator_->now() - start_, line); }

  std::string node(NodeIndex node) const {
    return node == kNoNode ? "?" : "n" + std::to_string(index(node));
  }
  std::string peer(Handle handle) const {
    if (handle == kNoHandle) return "-";
    return node(simulator_->node_of(handle)) + "/" +
           std::to_string(simulator_->directory().incarnation(handle));
  }

  // Kind, what identifies it, and whom it names.
  std::string message(const Message& message) const {
    std::string text(message_kind(message));
    if (const auto* routed = std::get_if<Routed>(&message)) {
      text += " key " + short_hex(routed->header.key) + " #" +
              std::to_string(routed->header.sequence) + " hop " +
              std::to_string(routed->header.hops);
    } else if (const auto* probe = std::get_if<LeafProbe>(&message)) {
      text += probe->reply ? " reply" : " request";
      text += probe->active ? " active" : " inactive";
      text += " token " + std::to_string(probe->token);
    } else if (const auto* reply = std::get_if<GapReserveReply>(&message)) {
      text += reply->granted ? " granted" : " refused";
    } else if (const auto* outcome = std::get_if<Outcome>(&message)) {
      text += " #" + std::to_string(outcome->sequence) + " result " +
              std::to_string(static_cast<int>(outcome->result));
    }
    std::string named;
    for_each_handle(message, [&](Handle handle) { named += " " + peer(handle); });
    return named.empty() ? text : text + " [" + named.substr(1) + "]";
  }

  std::string event(const NodeEvent& event) const {
    constexpr std::array<std::string_view, std::variant_size_v<NodeEvent>> names = {
        "becomes active",       "is not active any more", "is alone",  "suspects", "declares dead",
        "has another leaf set", "failed to join:",        "drops key", "tells:"};
    std::string text(names[event.index()]);
    if (const auto* suspected = std::get_if<PeerSuspected>(&event)) {
      text += " " + peer(suspected->peer);
    } else if (const auto* dead = std::get_if<PeerDead>(&event)) {
      text += " " + peer(dead->peer);
    } else if (const auto* failed = std::get_if<JoinFailed>(&event)) {
      text += " " + failed->reason;
    } else if (const auto* dropped = std::get_if<MessageDropped>(&event)) {
      text += " " + short_hex(dropped->key) + ": " + dropped->reason;
    } else if (const auto* inactive = std::get_if<NodeDeactivated>(&event)) {
      text += ": " + inactive->reason;
    }
    return text;
  }

 private:
  Simulator* simulator_;
  Narrator narrator_;
  Time start_;
};

}  // namespace

void narrate(Simulator& simulator, const Narrator& narrator) {
  const Teller teller(simulator, narrator);
  SimulatorHooks& hooks = simulator.hooks;
  hooks.send = [teller, then = hooks.send](NodeIndex from, Handle to, const Message& message) {
    teller.tell(teller.node(from) + " > " + teller.peer(to) + "  " + teller.message(message));
    if (then) then(from, to, message);
  };
  hooks.arrival = [teller, then = hooks.arrival](NodeIndex to, Handle from,
                                                 const Message& message) {
    teller.tell(teller.node(to) + " < " + teller.peer(from) + "  " + teller.message(message));
    if (then) then(to, from, message);
  };
  hooks.drop = [teller, then = hooks.drop](NodeIndex from, Handle to, DropCause cause) {
    teller.tell(teller.node(from) + " x " + teller.peer(to) + "  " + std::string(name(cause)));
    if (then) then(from, to, cause);
  };
  hooks.event = [teller, then = hooks.event](NodeIndex node, const NodeEvent& event) {
    teller.tell(teller.node(node) + " " + teller.event(event));
    if (then) then(node, event);
  };
  hooks.delivery = [teller, then = hooks.delivery](NodeIndex node, ApplicationId application,
                                                   const Delivery& delivery) {
    teller.tell(teller.node(node) + " delivers " + short_hex(delivery.key) + " #" +
                std::to_string(delivery.sequence) + " of " + teller.peer(delivery.source));
    if (then) then(node, application, delivery);
  };
}

}  // namespace pastry::sim::fuzz
