// The rule of the random simulations that a copy of a message ends when its holder is done.
#include "pastry/sim/fuzz/copy_ledger.h"

#include <doctest/doctest.h>

#include "pastry/sim/fuzz/watcher.h"
#include "tests/sim/ring.h"

namespace pastry::sim::fuzz {

namespace {

constexpr Handle kNode{7};
constexpr NodeIndex kHolder{3};

HopAck held(std::uint32_t first, std::uint32_t count) { return {{{first, count}}, true}; }
HopAck done(std::uint32_t first, std::uint32_t count) { return {{{first, count}}, false}; }

}  // namespace

TEST_CASE("a node may keep the copies that it was told are held, until each is done") {
  CopyLedger ledger;
  CHECK(ledger.copies_max(kNode) == 0);
  CHECK_FALSE(ledger.arrived(kNode, kHolder, held(10, 3)));
  CHECK_FALSE(ledger.arrived(kNode, kHolder, held(11, 1)));  // the message came twice
  CHECK(ledger.copies_max(kNode) == 3);
  CHECK(ledger.copies_max(Handle{8}) == 0);
  // Of another message, from another node, to another one.
  CHECK_FALSE(ledger.arrived(kNode, kHolder, done(13, 5)));
  CHECK_FALSE(ledger.arrived(kNode, NodeIndex{4}, done(10, 3)));
  CHECK_FALSE(ledger.arrived(Handle{8}, kHolder, done(10, 3)));
  CHECK(ledger.copies_max(kNode) == 3);
  CHECK(ledger.arrived(kNode, kHolder, done(9, 3)));
  CHECK(ledger.copies_max(kNode) == 1);
  CHECK_FALSE(ledger.arrived(kNode, kHolder, done(9, 3)));
  ledger.forget(kNode);
  CHECK(ledger.copies_max(kNode) == 0);
}

TEST_CASE("numbers of hops that begin again at zero") {
  CopyLedger ledger;
  ledger.arrived(kNode, kHolder, held(~0U, 2));
  CHECK(ledger.copies_max(kNode) == 2);
  CHECK(ledger.arrived(kNode, kHolder, done(~0U, 2)));
  CHECK(ledger.copies_max(kNode) == 0);
}

namespace {

// A ring in which a node has just got a copy of a message for a dead root's key.
class HeldMessage {
 public:
  HeldMessage() : ring_(5), watcher_(ring_.simulator(), false) {
    REQUIRE(ring_.grow(8));
    ring_->run_for(seconds(10));
    watch_acks();
    const NodeIndex victim{3};
    const Key key = ring_->id(victim);
    ring_->crash(victim);
    for (int i = 0; i < 200 && holder_ == kNoHandle; ++i) {
      REQUIRE(ring_->route(kSource, kTestApplication, key, Payload::copy_of("hold this")));
      ring_->run_for(milliseconds(50));
    }
    REQUIRE(holder_ != kNoHandle);
    REQUIRE(copies() > 0);
  }

  // What the watcher takes for the holder's word; the node does not hear it.
  void feign_done() {
    Simulator& simulator = ring_.simulator();
    simulator.hooks.arrival(kSource, holder_, done(0, ~0U));
    simulator.hooks.step(kSource);
  }
  std::size_t copies() { return ring_->node(kSource).load().copies; }
  void rest() { ring_->run_for(seconds(60)); }
  std::string broken() const { return watcher_.violation() ? watcher_.violation()->rule : ""; }

 private:
  static constexpr NodeIndex kSource{0};

  void watch_acks() {
    auto& hook = ring_.simulator().hooks.arrival;
    hook = [this, watched = hook](NodeIndex to, Handle from, const Message& message) {
      const auto* ack = std::get_if<HopAck>(&message);
      if (ack != nullptr && ack->held && to == kSource) holder_ = from;
      watched(to, from, message);
    };
  }

  TestRing ring_;
  Watcher watcher_;
  Handle holder_ = kNoHandle;
};

}  // namespace

TEST_CASE("a copy that outlives its holder's word breaks a rule") {
  HeldMessage scene;
  CHECK(scene.broken() == "");
  scene.feign_done();
  CHECK(scene.broken() == "copies-end");
}

TEST_CASE("a copy that goes with its holder's word breaks none") {
  HeldMessage scene;
  scene.rest();
  CHECK(scene.copies() == 0);
  CHECK(scene.broken() == "");
}

}  // namespace pastry::sim::fuzz
