// The rules of fuzzed topics must be able to fail: a ledger and trees fed by hand.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "apps/sim/services/topic_ledger.h"
#include "apps/sim/services/topic_tree.h"

using namespace pastry;
using namespace pastry::cli;

namespace {

const NodeId kPublisher(1, 1);
const NodeId kReader(2, 2);
const Key kGroup(3, 3);
const Key kOther(4, 4);
constexpr Life kLife = 7;
constexpr Life kReaderLife = 8;

struct Bench {
  std::vector<std::string> broken;
  TopicLedger ledger{[this](std::string rule, std::string) { broken.push_back(rule); }};
  SubscriptionNumber reader = ledger.subscribed(kReaderLife, kReader, kGroup, 100);

  // With sequence numbers 1 …, each acknowledged.
  explicit Bench(int published) {
    ledger.attached(reader, kGroup);
    for (int i = 1; i <= published; ++i) publish(static_cast<std::uint64_t>(i));
  }
  static Payload payload(std::uint64_t sequence) {
    return Payload::copy_of("message " + std::to_string(sequence));
  }
  void publish(std::uint64_t sequence) {
    const PublishNumber number = ledger.next_publish();
    ledger.published(kLife, kPublisher, kGroup, sequence, payload(sequence));
    ledger.answered(number, true);
  }
  scribe::TopicMessage message(std::uint64_t sequence) const {
    return {kGroup, kPublisher, 99, sequence, {1, sequence}, payload(sequence)};
  }
  void arrive(std::uint64_t sequence) { ledger.message(reader, message(sequence)); }
  void gap() { ledger.gap(reader, {kGroup, {1, 0}, {1, 9}, 0}); }

  using Rules = std::vector<std::string>;
};

}  // namespace

TEST_CASE("what is right breaks no rule") {
  Bench bench(4);
  bench.arrive(1);
  bench.arrive(2);
  bench.gap();
  bench.arrive(4);
  bench.ledger.judge_losses();
  CHECK(bench.broken.empty());
  CHECK(bench.ledger.figures().delivered == 3);
  CHECK(bench.ledger.figures().gaps == 1);
}

TEST_CASE("duplicates, wrong order and holes without a gap are found") {
  Bench bench(4);
  bench.arrive(1);
  bench.arrive(1);
  CHECK(bench.broken == Bench::Rules{"position-order", "no-duplicates"});
  bench.broken.clear();
  bench.arrive(4);
  CHECK(bench.broken == Bench::Rules{"hole"});
  bench.broken.clear();
  scribe::TopicMessage late = bench.message(3);
  late.position = {2, 1};
  bench.ledger.message(bench.reader, late);
  CHECK(bench.broken == Bench::Rules{"publisher-order"});
}

TEST_CASE("other bytes, sessions and publishers than those published are found") {
  Bench bench(3);
  bench.arrive(1);
  scribe::TopicMessage wrong = bench.message(2);
  wrong.payload = Bench::payload(3);
  bench.ledger.message(bench.reader, wrong);
  CHECK(bench.broken == Bench::Rules{"right-bytes"});
  bench.broken.clear();
  // A second session for the same numbers.
  wrong = bench.message(3);
  wrong.session = 100;
  bench.ledger.message(bench.reader, wrong);
  CHECK(bench.broken == Bench::Rules{"right-bytes"});
  bench.broken.clear();
  wrong = bench.message(3);
  wrong.publisher = kReader;
  wrong.position = {1, 4};
  bench.ledger.message(bench.reader, wrong);
  CHECK(bench.broken == Bench::Rules{"right-bytes"});
}

TEST_CASE("who is no member gets nothing") {
  Bench bench(2);
  scribe::TopicMessage foreign = bench.message(1);
  foreign.group = kOther;
  bench.ledger.message(bench.reader, foreign);
  CHECK(bench.broken == Bench::Rules{"members-only"});
  bench.ledger.unsubscribed(bench.reader);
  bench.arrive(1);
  bench.gap();
  CHECK(bench.broken == Bench::Rules{"members-only", "members-only", "members-only"});

  Bench dead(1);
  dead.ledger.ended(kReaderLife);
  dead.arrive(1);
  CHECK(dead.broken == Bench::Rules{"members-only"});
}

TEST_CASE("attachment and credit are watched") {
  Bench bench(3);
  bench.ledger.attached(bench.reader, kGroup);
  CHECK(bench.broken == Bench::Rules{"attached-once"});
  bench.broken.clear();
  const SubscriptionNumber narrow = bench.ledger.subscribed(kReaderLife, kReader, kGroup, 1);
  bench.ledger.message(narrow, bench.message(1));
  CHECK(bench.broken == Bench::Rules{"attached-first"});
  bench.broken.clear();
  bench.ledger.consumed(narrow, 1);
  bench.ledger.message(narrow, bench.message(2));
  CHECK(bench.broken == Bench::Rules{"attached-first"});
  bench.ledger.message(narrow, bench.message(3));
  CHECK(bench.broken == Bench::Rules{"attached-first", "attached-first", "credit"});
}

TEST_CASE("publishes are answered once and in order, and numbered without holes") {
  Bench bench(1);
  bench.ledger.answered(0, true);
  CHECK(bench.broken == Bench::Rules{"callback-once"});
  bench.broken.clear();
  bench.ledger.published(kLife, kPublisher, kGroup, 2, Bench::payload(2));
  bench.ledger.published(kLife, kPublisher, kGroup, 3, Bench::payload(3));
  bench.ledger.answered(2, true);
  CHECK(bench.broken == Bench::Rules{"callback-order"});
  bench.broken.clear();
  CHECK_FALSE(bench.ledger.unanswered().empty());
  bench.ledger.published(kLife, kPublisher, kGroup, 5, Bench::payload(5));
  CHECK(bench.broken == Bench::Rules{"consecutive"});
  bench.broken.clear();
  bench.ledger.ended(kLife);
  CHECK(bench.ledger.unanswered().empty());
  bench.ledger.answered(1, true);
  CHECK(bench.broken == Bench::Rules{"callback-once"});
}

TEST_CASE("what is lost without a gap in its place is found") {
  for (const std::uint64_t lost : {1, 2, 3}) {
    CAPTURE(lost);
    Bench bench(3);
    for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) {
      // The gap stands before it or after it, not in its place.
      if (lost == 3 && sequence == 2) bench.gap();
      if (sequence != lost) bench.arrive(sequence);
    }
    if (lost == 1) bench.gap();
    bench.broken.clear();
    bench.ledger.judge_losses();
    CHECK(bench.broken == Bench::Rules{"lost"});
  }
  Bench before(3);
  const SubscriptionNumber late = before.ledger.subscribed(kReaderLife, kReader, kGroup, 9);
  before.ledger.attached(late, kGroup);
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) before.arrive(sequence);
  before.ledger.judge_losses();
  CHECK(before.broken.empty());
}

TEST_CASE("a gap without a cause is found") {
  Bench bench(1);
  bench.ledger.demand_causes(true);
  bench.gap();
  CHECK(bench.broken == Bench::Rules{"needless-gap"});
  bench.broken.clear();
  bench.ledger.ended(kLife);
  bench.gap();
  CHECK(bench.broken.empty());
}

namespace {

const NodeId kRoot(1, 0);
const NodeId kMiddle(2, 0);
const NodeId kLeaf(3, 0);

// kRoot - kMiddle - kLeaf
TreeViews make_chain() {
  TreeViews views;
  for (const NodeId& id : {kRoot, kMiddle, kLeaf}) {
    views[id].in_tree = views[id].attached = true;
    views[id].root_id = kRoot;
  }
  views[kRoot].root = true;
  views[kRoot].children = {kMiddle};
  views[kMiddle].parent = kRoot;
  views[kMiddle].path = {kRoot};
  views[kMiddle].children = {kLeaf};
  views[kLeaf].parent = kMiddle;
  views[kLeaf].path = {kRoot, kMiddle};
  views[kLeaf].subscribers = 1;
  return views;
}

}  // namespace

TEST_CASE("trees that are none are found") {
  CHECK(tree_fault(make_chain(), kRoot).empty());
  CHECK_FALSE(tree_fault(make_chain(), kLeaf).empty());
  const auto faulty = [](auto&& change) {
    TreeViews views = make_chain();
    change(views);
    return !tree_fault(views, kRoot).empty();
  };
  CHECK(faulty([](TreeViews& views) { views[kLeaf].attached = false; }));
  CHECK(faulty([](TreeViews& views) { views[kLeaf].root = true; }));
  CHECK(faulty([](TreeViews& views) { views[kLeaf].subscribers = 0; }));
  CHECK(faulty([](TreeViews& views) { views[kLeaf].parent = kRoot; }));
  CHECK(faulty([](TreeViews& views) { views[kLeaf].path = {kRoot}; }));
  CHECK(faulty([](TreeViews& views) { views[kMiddle].children.clear(); }));
  CHECK(faulty([](TreeViews& views) { views.erase(kLeaf); }));
  CHECK(faulty([](TreeViews& views) {
    // A circle beside the root.
    views[kRoot].children.clear();
    views[kMiddle].parent = kLeaf;
    views[kLeaf].children = {kMiddle};
  }));
}

TEST_CASE("walks that miss or misdescribe nodes are found") {
  const TreeViews views = make_chain();
  scribe::Tree tree;
  tree.members = {{kRoot, kRoot, 0, 1, 0, {}, 0, 0},
                  {kMiddle, kRoot, 1, 1, 0, {}, 0, 0},
                  {kLeaf, kMiddle, 2, 0, 1, {}, 0, 0}};
  CHECK(walk_fault(tree, views).empty());
  const auto faulty = [&](auto&& change) {
    scribe::Tree changed = tree;
    change(changed);
    return !walk_fault(changed, views).empty();
  };
  CHECK(faulty([](scribe::Tree& walked) { walked.truncated = true; }));
  CHECK(faulty([](scribe::Tree& walked) { walked.members.pop_back(); }));
  CHECK(faulty([](scribe::Tree& walked) { walked.members.push_back(walked.members.back()); }));
  CHECK(faulty([](scribe::Tree& walked) { std::swap(walked.members[1], walked.members[2]); }));
  CHECK(faulty([](scribe::Tree& walked) { walked.members[2].depth = 1; }));
  CHECK(faulty([](scribe::Tree& walked) { walked.members[2].subscribers = 0; }));
}
