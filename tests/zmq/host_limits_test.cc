// Delay emulation, storage and hashing threads, garbage collection.
#include <chrono>

#include "pastry/zmq/inbox.h"
#include "pastry/zmq/worker.h"
#include "test_host.h"

using namespace pastry;
using namespace pastry::host;

namespace {

// Keeps nothing, but takes its time.
class SlowStore final : public Store {
 public:
  void apply(std::span<const StorageRequest> requests,
             std::vector<StorageCompletion>& completions) override {
    ++batches;
    thread = std::this_thread::get_id();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    for (const StorageRequest& request : requests)
      completions.push_back(
          {request.node, request.application, request.tag, StoreOutcome(StorePutDone{})});
  }
  std::atomic<int> batches{0};
  std::thread::id thread;
};

// Waits in the first batch until it is told to go on, and keeps how large the batches are.
class GatedStore final : public Store {
 public:
  void apply(std::span<const StorageRequest> requests,
             std::vector<StorageCompletion>& completions) override {
    if (batches.empty()) {
      entered.set_value();
      gate.get_future().wait();
    }
    batches.push_back(requests.size());
    for (const StorageRequest& request : requests)
      completions.push_back(
          {request.node, request.application, request.tag, StoreOutcome(StoreUsageDone{})});
  }
  std::promise<void> entered;
  std::promise<void> gate;
  std::vector<std::size_t> batches;  // of the worker's thread until it is stopped
};

class CountingHash final : public Hash {
 public:
  Digest digest(std::span<const ByteView> parts) const override {
    Digest digest{};
    for (const ByteView part : parts) digest[0] = static_cast<std::uint8_t>(part.size());
    return digest;
  }
};

}  // namespace

TEST_CASE("reads that came before a write do not wait for its sync, what came after takes part") {
  GatedStore store;
  Worker worker(
      storage_work(store), [] {}, 16, 1 << 20);
  const std::vector<StoreOperation> operations{StoreUsage{}, StoreGet{},   StoreScan{},
                                               StorePut{},   StoreErase{}, StoreGet{}};
  for (std::size_t i = 0; i < operations.size(); ++i) {
    StorageRequest request{NodeId(1, 1), kTestApplication, i, operations[i]};
    REQUIRE(worker.submit(request));
    if (i == 0) store.entered.get_future().wait();
  }
  store.gate.set_value();
  worker.stop();
  CHECK(store.batches == std::vector<std::size_t>{1, 1, 1, 3});
  std::vector<StorageCompletion> completions;
  worker.take(completions);
  REQUIRE(completions.size() == operations.size());
  for (std::size_t i = 0; i < completions.size(); ++i) CHECK(completions[i].tag == i);
}

TEST_CASE("the inbox delays each pair as the topology says and keeps its order") {
  std::shared_ptr<const proximity::Topology> plane = proximity::make_plane({});
  Inbox inbox(plane, 1 << 20);
  Random random(1);
  const NodeId to = random.id();
  std::vector<NodeId> from;
  for (int i = 0; i < 5; ++i) from.push_back(random.id());
  Time now{std::chrono::seconds(1)};
  for (std::uint32_t i = 0; i < 500; ++i) {
    const auto sender = static_cast<std::uint32_t>(random.below(5));
    inbox.add(now, from[sender], to, {0, Handle{sender}, Ping{i}});
    now += std::chrono::microseconds(random.below(300));
  }
  CHECK_FALSE(inbox.empty());
  std::vector<std::uint32_t> last(5, 0);
  InboxMessage message;
  int taken = 0;
  while (!inbox.empty()) {
    now = std::max(now, inbox.deadline());
    REQUIRE(inbox.next(now, message));
    const std::uint32_t token = std::get<Ping>(message.message).token;
    CHECK(token >= last[index(message.from)]);
    last[index(message.from)] = token;
    ++taken;
  }
  CHECK(taken == 500);
  CHECK(inbox.deadline() == kNever);
}

TEST_CASE("the inbox says when it is full and empties again") {
  Inbox inbox(proximity::make_uniform(std::chrono::milliseconds(1)), 10000);
  const NodeId a(1, 1);
  const NodeId b(2, 2);
  int added = 0;
  for (; !inbox.full(); ++added) inbox.add(Time{}, a, b, {0, Handle{1}, Ping{}});
  CHECK(added < 40);
  InboxMessage message;
  while (inbox.next(Time{std::chrono::seconds(1)}, message)) --added;
  CHECK(added == 0);
  CHECK_FALSE(inbox.full());
  CHECK(inbox.empty());
}

TEST_CASE("an emulated delay applies between processes and within one") {
  const auto topology = std::shared_ptr<const proximity::Topology>(
      proximity::make_uniform(std::chrono::milliseconds(20)));
  Options first = TestHost::options(2, 1);
  first.topology = topology;
  Options second = TestHost::options(1, 2);
  second.topology = topology;
  TestHost a(std::move(first));
  TestHost b(std::move(second));
  a->found(0);
  REQUIRE(a->join(1, {a->address()}));
  REQUIRE(b->join(0, {a->address()}));
  a.start();
  b.start();
  REQUIRE(eventually([&] { return a.all_active() && b.active(); }));
  int replies = 0;
  for (const Handle to : {a.handle_of(b), a.handle_of(a, 1)}) {
    const auto start = std::chrono::steady_clock::now();
    a.on_node(0, [&](Context context) { CHECK(context.request(to, Payload::copy_of("q"))); });
    ++replies;
    CHECK(eventually([&] { return a.recorder().replies == replies; }));
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(took >= std::chrono::milliseconds(40));
    CHECK(took < std::chrono::milliseconds(400));
  }
}

TEST_CASE("storage runs on its own thread, many requests in one commit; hashing on another") {
  SlowStore store;
  CountingHash hash;
  Options options = TestHost::options(1, 1);
  options.store = &store;
  options.hash = &hash;
  TestHost host(std::move(options));
  host->found(0);
  host.start();
  host.on_node(0, [](Context context) {
    for (int i = 0; i < 200; ++i) context.store(StorePut{});
    context.store(ComputeDigest{Payload(Bytes(10))});
  });
  CHECK(eventually([&] { return host.recorder().replies == 201; }));
  CHECK(store.batches <= 4);
  CHECK(store.thread != std::this_thread::get_id());
}

TEST_CASE("storage over its bound, or none at all, fails with an error of its own") {
  SlowStore store;
  Options options = TestHost::options(1, 1);
  options.store = &store;
  options.storage_queue_max = 10;
  TestHost host(std::move(options));
  host->found(0);
  host.start();
  host.on_node(0, [](Context context) {
    for (int i = 0; i < 50; ++i) context.store(StorePut{});
    context.store(ComputeDigest{});
  });
  CHECK(eventually([&] { return host.recorder().replies + host.recorder().failures == 51; }));
  CHECK(host.recorder().failures >= 30);
  CHECK(host.counters().storage_refused >= 30);
}

TEST_CASE("peers that nobody keeps are forgotten, those in use are not") {
  Options options = TestHost::options(1, 1);
  options.collection_period = milliseconds(50);
  TestHost a(std::move(options));
  TestHost b(TestHost::options(1, 2));
  a->found(0);
  REQUIRE(b->join(0, {a->address()}));
  a.start();
  b.start();
  REQUIRE(eventually([&] { return b.active(); }));
  a.ask([&] {
    Random random(8);
    for (int i = 0; i < 1000; ++i)
      a->directory().intern({random.id(), 1, {{}, {"tcp://127.0.0.1:1"}, ""}, {}});
    return 0;
  });
  CHECK(eventually([&] { return a.ask([&] { return a->directory().size(); }) <= 4; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const Handle to = a.handle_of(b);
  a.on_node(0, [&](Context context) { CHECK(context.request(to, Payload::copy_of("q"))); });
  CHECK(eventually([&] { return a.recorder().replies == 1; }));
}
