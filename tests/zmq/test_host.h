// Hosts in threads of the test process.
#pragma once

#define DOCTEST_CONFIG_SUPER_FAST_ASSERTS
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "pastry/core/random.h"
#include "pastry/zmq/host.h"

namespace pastry::host {

inline constexpr ApplicationId kTestApplication = application_id("test");

// Waits until `condition` holds; false after `limit`.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds limit = std::chrono::seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// Counts and keeps what arrives.
class Recorder final : public Application {
 public:
  void deliver(Context, const Delivery& message) override {
    ++delivered;
    hops = message.hops;
    keep(message.payload);
  }
  void receive(Context context, const Incoming& message) override {
    ++received;
    keep(message.payload);
    if (message.request != 0) (void)context.reply(message.from, message.request, message.payload);
  }
  void replied(Context, OperationId, const Result<Payload>& answer) override {
    ++(answer ? replies : failures);
  }
  void route_outcome(Context, OperationId, const RouteOutcome& outcome) override {
    ++(outcome.result == RouteResult::delivered ? replies : failures);
  }
  void stored(Context, OperationId, const Result<StoreOutcome>& result) override {
    ++(result ? replies : failures);
  }

  std::vector<std::string> texts() {
    const std::lock_guard lock(mutex_);
    return texts_;
  }

  std::atomic<int> delivered{0};
  std::atomic<int> received{0};
  std::atomic<int> replies{0};
  std::atomic<int> failures{0};
  std::atomic<int> hops{0};
  std::atomic<std::uint64_t> bytes{0};

 private:
  void keep(const Payload& payload) {
    bytes += payload.size();
    if (payload.size() > 64) return;
    const std::lock_guard lock(mutex_);
    texts_.emplace_back(payload.text());
  }

  std::mutex mutex_;
  std::vector<std::string> texts_;
};

// A host with a Recorder on each node, on a thread of its own.
class TestHost {
 public:
  static Options options(std::size_t nodes, std::uint64_t seed) {
    Options options;
    options.config = Config::lan();
    options.config.leaf_set = 8;
    Random random(seed);
    for (std::size_t i = 0; i < nodes; ++i)
      options.nodes.push_back({random.id(), 1, random.next()});
    return options;
  }

  explicit TestHost(Options options) {
    auto opened = Host::open(std::move(options));
    REQUIRE_MESSAGE(opened, (opened ? std::string() : opened.error().message));
    host_ = std::move(*opened);
    for (std::size_t i = 0; i < host_->node_count(); ++i) {
      recorders_.push_back(std::make_unique<Recorder>());
      REQUIRE(host_->node(i).add_application(kTestApplication, *recorders_.back()));
    }
  }
  ~TestHost() { stop(); }

  Host& operator*() { return *host_; }
  Host* operator->() { return host_.get(); }
  Recorder& recorder(std::size_t node = 0) { return *recorders_[node]; }

  void start() {
    thread_ = std::thread([this] { host_->run(); });
  }
  void stop(bool leave = true) {
    if (!thread_.joinable()) return;
    host_->stop(leave);
    thread_.join();
  }

  // Runs `action` on the loop and returns what it returns.
  template <typename Action>
  auto ask(Action action) -> decltype(action()) {
    auto task = std::make_shared<std::packaged_task<decltype(action())()>>(std::move(action));
    auto result = task->get_future();
    REQUIRE(host_->post([task] { (*task)(); }));
    return result.get();
  }
  // Runs `action` as the test application of a node.
  void on_node(std::size_t node, std::function<void(Context)> action) {
    ask([this, node, &action] { host_->run_on_node(node, kTestApplication, action); });
  }
  bool active(std::size_t node = 0) {
    return ask([this, node] { return host_->node(node).active(); });
  }
  bool all_active() {
    for (std::size_t i = 0; i < host_->node_count(); ++i)
      if (!active(i)) return false;
    return true;
  }
  Counters counters() {
    return ask([this] { return host_->counters(); });
  }
  // The handle of another host's node.
  Handle handle_of(TestHost& other, std::size_t node = 0) {
    const Node& theirs = other->node(node);
    const PeerInfo info{theirs.id(), 1, other->info(), {}};
    return ask([this, info] { return host_->directory().intern(info); });
  }

 private:
  std::unique_ptr<Host> host_;
  std::vector<std::unique_ptr<Recorder>> recorders_;
  std::thread thread_;
};

}  // namespace pastry::host
