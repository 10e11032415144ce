// A ring of bare nodes for tests of the core: no codec, and by default one virtual millisecond per
// message.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include <doctest/doctest.h>

#include "pastry/core/node.h"

namespace pastry::test {

inline constexpr ApplicationId kTestApplication{100};

class Ring {
 public:
  struct Delivered {
    Handle at;
    Key key;
    std::string text;
    int hops;
  };
  struct Member : Application {
    explicit Member(Ring& owner) : ring(&owner) {}
    ForwardDecision forward(Context context, ForwardedMessage& message) override {
      return ring->on_forward ? ring->on_forward(context, message) : ForwardDecision::pass;
    }
    void update(Context, Handle peer, PeerChange change) override {
      updates.emplace_back(peer, change);
    }
    void timer(Context context, std::uint64_t cookie) override {
      timers.emplace_back(context.now(), cookie);
    }
    void receive(Context context, const Incoming& message) override {
      if (message.request != 0 && !silent) {
        CHECK(context.reply(message.from, message.request, message.payload));
      }
      ++received;
    }
    void replied(Context, OperationId operation, const Result<Payload>& answer) override {
      answers.emplace(operation, answer);
    }
    void deliver(Context context, const Delivery& message) override {
      ring->delivered.push_back(
          {context.self(), message.key, std::string(message.payload.text()), message.hops});
    }
    void route_outcome(Context, OperationId operation, const RouteOutcome& outcome) override {
      ring->outcomes[operation] = outcome;
    }
    std::vector<std::pair<Handle, PeerChange>> updates;
    std::vector<std::pair<Time, std::uint64_t>> timers;
    std::map<OperationId, Result<Payload>> answers;
    int received = 0;
    bool silent = false;
    Ring* ring;
    std::unique_ptr<Node> node;
    bool up = true;
    bool stopped = false;
    // Its clock showed `clock_shown` at `clock_set`, and has run at `speed` thousandths since.
    int speed = 1000;
    Time clock_set{};
    Time clock_shown{};
  };

  explicit Ring(Config config, std::uint64_t seed = 1) : config_(config), random_(seed) {}

  Handle add(const NodeId& id, std::uint64_t incarnation = 1, proximity::Location location = {}) {
    PeerInfo info;
    info.id = id;
    info.incarnation = incarnation;
    info.host.location = location;
    info.host.transport_key.bytes[0] = static_cast<std::uint8_t>(members_.size());
    info.host.transport_key.bytes[1] = static_cast<std::uint8_t>(members_.size() >> 8);
    const Handle handle = directory_.intern(info);
    auto member = std::make_unique<Member>(*this);
    member->node = std::make_unique<Node>(config_, directory_, handle, random_.next());
    member->node->add_application(kTestApplication, *member);
    members_[index(handle)] = std::move(member);
    return handle;
  }
  Handle add() { return add(random_.id()); }

  Member& member(Handle handle) { return *members_.at(index(handle)); }
  // A downcall of the test application at `handle`.
  template <typename Action>
  void at(Handle handle, Action&& action) {
    node(handle).run(clock(handle), kTestApplication, out_, std::forward<Action>(action));
    collect(handle);
  }
  Node& node(Handle handle) { return *members_.at(index(handle))->node; }
  void found(Handle handle) {
    node(handle).found(clock(handle), out_);
    collect(handle);
  }
  void join(Handle handle, std::vector<Handle> seeds, bool remembered = false) {
    node(handle).join(clock(handle), seeds, remembered, out_);
    collect(handle);
  }
  void crash(Handle handle) { members_.at(index(handle))->up = false; }
  // Like SIGSTOP and SIGCONT: its clock goes on, what arrives waits for it.
  void stop(Handle handle) { member(handle).stopped = true; }
  void resume(Handle handle) {
    member(handle).stopped = false;
    for (auto& [to, message] : held_) {
      if (to == handle) queue_.emplace(std::pair{now_, sequence_++}, std::move(message));
    }
    std::erase_if(held_, [handle](const auto& entry) { return entry.first == handle; });
  }
  void set_clock_speed(Handle handle, int thousandths) {
    Member& changed = member(handle);
    changed.clock_shown = clock(handle);
    changed.clock_set = now_;
    changed.speed = thousandths;
  }
  // What the clock of the node shows.
  Time clock(Handle handle) const {
    const Member& owner = *members_.at(index(handle));
    return owner.clock_shown + (now_ - owner.clock_set) * owner.speed / 1000;
  }
  void leave(Handle handle) {
    node(handle).leave(clock(handle), out_);
    collect(handle);
    crash(handle);
  }
  OperationId route(Handle from, const Key& key, RouteOptions options = {},
                    std::string_view text = "x") {
    OperationId id = 0;
    node(from).run(clock(from), kTestApplication, out_, [&](Context context) {
      id = context.route(key, Payload::copy_of(text), options).value();
    });
    collect(from);
    return id;
  }

  // Messages for which this says true are lost.
  std::function<bool(Handle from, const Send&)> drop;
  // Sees each message that is sent, and may change it.
  std::function<void(Handle from, Send&)> tamper;
  // What forward() of the test application does; by default nothing.
  std::function<ForwardDecision(Context, ForwardedMessage&)> on_forward;
  // How long a message is on its way.
  Duration delay = milliseconds(1);
  // Fraction of messages lost, in thousandths.
  int loss = 0;
  std::vector<Delivered> delivered;
  std::map<OperationId, RouteOutcome> outcomes;
  std::uint64_t messages = 0;
  bool alone_seen = false;  // somebody was a ring of its own
  // What is sent to an earlier incarnation reaches the present one.
  bool address_survives_restart = false;

  void run(Duration time) {
    const Time end = now_ + time;
    while (true) {
      const Time next_message = queue_.empty() ? kNever : queue_.begin()->first.first;
      Time next_timer = kNever;
      Handle due = kNoHandle;
      for (const auto& [raw, member] : members_) {
        if (!member->up || member->stopped) continue;
        const Time deadline = member->node->next_deadline();
        if (deadline == kNever) continue;
        const Time at = std::max(when_shown(*member, deadline), now_);
        if (at < next_timer) {
          next_timer = at;
          due = Handle{raw};
        }
      }
      const Time at = std::min(next_message, next_timer);
      if (at > end) break;
      now_ = std::max(now_, at);
      if (next_message <= next_timer) {
        auto [from, send] = std::move(queue_.begin()->second);
        queue_.erase(queue_.begin());
        const auto member = members_.find(index(listening_at(send.to)));
        if (member == members_.end() || !member->second->up) continue;
        const Handle to{member->first};
        if (member->second->stopped) {
          held_.emplace_back(to, std::pair{from, std::move(send)});
          continue;
        }
        member->second->node->receive(clock(to), from, std::move(send.message), out_);
        member->second->node->flush(clock(to), out_);
        collect(to);
      } else {
        node(due).advance(clock(due), out_);
        node(due).flush(clock(due), out_);
        collect(due);
      }
    }
    now_ = end;
  }

  std::vector<Handle> live() const {
    std::vector<Handle> handles;
    for (const auto& [raw, member] : members_) {
      if (member->up) handles.push_back(Handle{raw});
    }
    std::sort(handles.begin(), handles.end(),
              [&](Handle a, Handle b) { return directory_.id(a) < directory_.id(b); });
    return handles;
  }
  Handle root(const Key& key) const {
    Handle best = kNoHandle;
    for (const Handle peer : live()) {
      if (best == kNoHandle || closer(key, directory_.id(peer), directory_.id(best))) best = peer;
    }
    return best;
  }
  // Number of live nodes that are not active or whose neighbours are not those of the sorted ring.
  int wrong_neighbours() {
    const std::vector<Handle> ring = live();
    int wrong = 0;
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const Handle left = ring[(i + ring.size() - 1) % ring.size()];
      const Handle right = ring[(i + 1) % ring.size()];
      const LeafSet& leaves = node(ring[i]).tables().leaf_set;
      const bool right_ok = leaves.right_neighbour() == (right == ring[i] ? kNoHandle : right);
      const bool left_ok = leaves.left_neighbour() == (left == ring[i] ? kNoHandle : left);
      if (!node(ring[i]).active() || !right_ok || !left_ok) ++wrong;
    }
    return wrong;
  }

  const Directory& directory() const { return directory_; }
  Random& random() { return random_; }
  Time now() const { return now_; }

 private:
  // The first moment at which the member's clock shows `at`, or later.
  static Time when_shown(const Member& member, Time at) {
    const Duration slack(member.speed == 1000 ? 0 : 1);
    return member.clock_set + (at - member.clock_shown) * 1000 / member.speed + slack;
  }

  Handle listening_at(Handle to) const {
    if (!address_survives_restart || members_.at(index(to))->up) return to;
    for (const auto& [raw, member] : members_) {
      if (member->up && directory_.id(Handle{raw}) == directory_.id(to)) return Handle{raw};
    }
    return to;
  }

  void collect(Handle from) {
    alone_seen = alone_seen || node(from).alone();
    for (Send& send : out_.sends) {
      ++messages;
      if (tamper) tamper(from, send);
      if (drop && drop(from, send)) continue;
      if (loss > 0 && static_cast<int>(random_.below(1000)) < loss) continue;
      queue_.emplace(std::pair{now_ + delay, sequence_++}, std::pair{from, std::move(send)});
    }
    out_.clear();
  }

  Config config_;
  Random random_;
  Directory directory_;
  std::map<std::uint32_t, std::unique_ptr<Member>> members_;
  std::map<std::pair<Time, std::uint64_t>, std::pair<Handle, Send>> queue_;
  std::vector<std::pair<Handle, std::pair<Handle, Send>>> held_;  // for those that are stopped
  std::uint64_t sequence_ = 0;
  Time now_{};
  Outbox out_;
};

// The profile of most tests: LAN timers, small tables.
inline Config small_config() {
  Config config = Config::lan();
  config.leaf_set = 8;
  config.neighbourhood = 8;
  return config;
}

// Much longer than it takes to find somebody dead.
inline Config long_leases() {
  Config config = small_config();
  config.lease = seconds(20);
  return config;
}

inline bool lists(Ring& ring, Handle node, Handle peer) {
  return ring.node(node).tables().leaf_set.contains(peer);
}

// Until it is so; two minutes at most.
template <typename Condition>
void run_until(Ring& ring, Condition&& condition, Duration step = milliseconds(20)) {
  const Time begin = ring.now();
  while (!condition()) {
    ring.run(step);
    REQUIRE(ring.now() - begin < seconds(120));
  }
}

// A right ring of so many nodes that joined one after the other; by id.
inline std::vector<Handle> grow(Ring& ring, std::size_t nodes) {
  const Handle first = ring.add();
  ring.found(first);
  for (std::size_t i = 1; i < nodes; ++i) {
    ring.join(ring.add(), {first});
    ring.run(milliseconds(50));
  }
  ring.run(seconds(10));
  REQUIRE(ring.wrong_neighbours() == 0);
  return ring.live();
}

}  // namespace pastry::test
