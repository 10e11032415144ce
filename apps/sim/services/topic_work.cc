#include "apps/sim/services/topic_work.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace pastry::cli {
namespace {

using sim::NodeIndex;
using sim::NodeStatus;

constexpr std::array<std::string_view, 4> kTopics = {"weather", "sports", "news", "traffic"};
constexpr std::uint64_t kSizeMax = 3000;
constexpr std::uint64_t kBurstMax = 8;
constexpr PublishNumber kNever = std::numeric_limits<PublishNumber>::max();

std::string_view any_topic(Random& random) { return kTopics[random.below(kTopics.size())]; }

// Mostly a few hundred bytes; the ends of the range more often than by chance.
std::size_t any_size(Random& random) {
  switch (random.below(8)) {
    case 0:
      return 0;
    case 1:
      return kSizeMax;
    default:
      return static_cast<std::size_t>(random.below(random.below(4) == 0 ? kSizeMax : 300));
  }
}

ReaderHabits any_habits(Random& random) {
  ReaderHabits habits;
  constexpr std::array<std::size_t, 5> kCredits = {1, 2, 8, 64, 1024};
  habits.credit = kCredits[random.below(kCredits.size())];
  habits.prompt = random.below(4) != 0;
  if (random.below(8) == 0) habits.leave_after = static_cast<std::size_t>(1 + random.below(20));
  return habits;
}

// Names where it comes from, as far as the size allows, and differs from all others in each part.
Payload make_payload(const NodeId& node, Life life, std::string_view topic, PublishNumber number,
                     std::size_t size) {
  if (size == 0) return {};
  const std::string text = std::to_string(number) + " of " + node.hex() + " in life " +
                           std::to_string(life) + " to " + std::string(topic) + "\n";
  Bytes bytes(std::max(size, text.find(' ') + 1));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(text[i % text.size()]);
  }
  return Payload(std::move(bytes));
}

}  // namespace

TopicWork::TopicWork(sim::Simulator& simulator, sim::fuzz::Watcher& watcher, bool crash_only)
    : simulator_(simulator),
      watcher_(watcher),
      crash_only_(crash_only),
      ledger_([this](std::string rule, std::string what) {
        watcher_.fail(std::move(rule), std::move(what));
      }) {
  ledger_.demand_causes(crash_only);
  ledger_.demand_complete_from(crash_only ? 0 : kNever);
}

void TopicWork::started(NodeIndex node, scribe::Scribe& scribe) {
  members_[node] = {&scribe, ++lives_, {}};
}

void TopicWork::gone(NodeIndex node) {
  const auto member = members_.find(node);
  if (member == members_.end()) return;
  ledger_.ended(member->second.life);
  walks_under_way_.erase(member->second.life);
  members_.erase(member);
}

void TopicWork::excuse() {
  crash_only_ = false;
  ledger_.demand_causes(false);
  ledger_.demand_complete_from(kNever);
}

// --- Operations ---------------------------------------------------------------------------------

void TopicWork::work(NodeIndex node, Random& random) {
  const std::uint64_t what = random.below(16);
  if (what < 4) {
    subscribe(node, random);
  } else if (what < 6) {
    unsubscribe(node, random);
  } else if (what < 13) {
    const std::string_view topic = any_topic(random);
    const std::uint64_t burst = 1 + random.below(kBurstMax);
    for (std::uint64_t i = 0; i < burst; ++i) publish(node, topic, any_size(random));
  } else if (what < 15) {
    catch_up(node, false);
  } else {
    walk(node, any_topic(random));
  }
}

void TopicWork::subscribe(NodeIndex node, Random& random) {
  Member& member = members_.at(node);
  const std::string_view topic = any_topic(random);
  const ReaderHabits habits = any_habits(random);
  readers_.push_back(std::make_unique<TopicReader>(ledger_, *member.scribe, habits));
  TopicReader& reader = *readers_.back();
  run(node, [&](Context context) {
    const auto id = member.scribe->subscribe(context, topic, reader, habits.credit);
    if (!id) {
      refused("subscription", id.error(), subscriptions_refused_);
      return;
    }
    reader.begin(ledger_.subscribed(member.life, simulator_.id(node), group(topic), habits.credit),
                 *id);
    member.readers.push_back(&reader);
    ++subscribed_;
  });
}

void TopicWork::unsubscribe(NodeIndex node, Random& random) {
  std::vector<TopicReader*> open;
  for_each_open(members_.at(node), [&](TopicReader& reader) { open.push_back(&reader); });
  if (open.empty()) return;
  TopicReader& leaver = *open[random.below(open.size())];
  run(node, [&](Context context) { leaver.leave(context); });
}

void TopicWork::publish(NodeIndex node, std::string_view topic, std::size_t size) {
  Member& member = members_.at(node);
  const PublishNumber number = ledger_.next_publish();
  const Payload payload = make_payload(simulator_.id(node), member.life, topic, number, size);
  run(node, [&](Context context) {
    const auto sequence = member.scribe->publish(
        context, topic, payload, [this, number](Context, const Result<void>& result) {
          ledger_.answered(number, result.has_value());
        });
    if (sequence) {
      ledger_.published(member.life, simulator_.id(node), group(topic), *sequence, payload);
    } else {
      refused("publish", sequence.error(), refused_);
    }
  });
}

void TopicWork::refused(std::string_view what, const Error& error, std::uint64_t& count) {
  if (error.code == ErrorCode::full) {
    ++count;
  } else {
    watcher_.fail("full-only", std::string(what) + " refused: " + error.message);
  }
}

void TopicWork::catch_up(NodeIndex node, bool prompt) {
  run(node, [&](Context context) {
    for_each_open(members_.at(node),
                  [&](TopicReader& reader) { reader.catch_up(context, prompt); });
  });
}

std::size_t TopicWork::walk(NodeIndex node, std::string_view topic) {
  Member& member = members_.at(node);
  const std::size_t number = walks_.size();
  walks_.push_back({topic, false, {}});
  walks_under_way_[member.life].insert(number);
  run(node, [&](Context context) {
    member.scribe->collect_tree(
        context, topic,
        [this, number, life = member.life](Context, const Result<scribe::Tree>& tree) {
          const auto under_way = walks_under_way_.find(life);
          if (under_way == walks_under_way_.end() || under_way->second.erase(number) == 0) {
            watcher_.fail("walk-once", "walk " + std::to_string(number) + " was answered again");
            return;
          }
          walks_[number].answered = true;
          walks_[number].tree = tree;
          if (tree) ++walked_;
        });
  });
  return number;
}

// --- At the end ---------------------------------------------------------------------------------

void TopicWork::examine() {
  if (!crash_only_) ledger_.demand_complete_from(ledger_.next_publish());
  for (const auto& [node, member] : members_) {
    if (simulator_.status(node) == NodeStatus::up) catch_up(node, true);
  }
  publish_round();
}

// A message of two nodes to each topic.
void TopicWork::publish_round() {
  last_round_.clear();
  std::vector<NodeIndex> nodes;
  for (const auto& [id, node] : simulator_.active_nodes()) nodes.push_back(node);
  if (nodes.empty()) return;
  for (std::size_t i = 0; i < kTopics.size(); ++i) {
    for (const std::size_t from : {i, i * 7 + nodes.size() / 2}) {
      const PublishNumber number = ledger_.next_publish();
      publish(nodes[from % nodes.size()], kTopics[i], 200);
      if (ledger_.next_publish() > number) last_round_.push_back(number);
    }
  }
}

void TopicWork::walk_round() {
  last_walks_ = walks_.size();
  const auto& nodes = simulator_.active_nodes();
  if (nodes.empty()) return;
  for (const std::string_view topic : kTopics) {
    if (!views(topic).empty()) walk(nodes.begin()->second, topic);
  }
}

void TopicWork::leave_all() {
  for (auto& [node, member] : members_) {
    if (simulator_.status(node) != NodeStatus::up) continue;
    run(node, [&, &readers = member](Context context) {
      for_each_open(readers, [&](TopicReader& reader) { reader.leave(context); });
    });
  }
}

TreeViews TopicWork::views(std::string_view topic) {
  TreeViews views;
  for (const auto& [node, member] : members_) {
    if (simulator_.status(node) != NodeStatus::up) continue;
    run(node, [&, &at = member, at_node = node](Context context) {
      scribe::TopicView view = at.scribe->topic_info(context, topic);
      if (view.in_tree) views[simulator_.id(at_node)] = std::move(view);
    });
  }
  return views;
}

NodeId TopicWork::nearest(const Key& group) const {
  NodeId best;
  bool any = false;
  for (const auto& [id, node] : simulator_.active_nodes()) {
    if (!any || closer(group, id, best)) best = id;
    any = true;
  }
  return best;
}

Key TopicWork::group(std::string_view topic) const {
  return members_.begin()->second.scribe->group(topic);
}

std::string TopicWork::topics_fault() {
  std::string fault = ledger_.unattached();
  for (const std::string_view topic : kTopics) {
    if (!fault.empty() || members_.empty()) break;
    fault = tree_fault(views(topic), nearest(group(topic)));
    if (!fault.empty()) fault = std::string(topic) + ": " + fault;
  }
  return fault;
}

std::string TopicWork::next_missing() {
  std::string missing;
  switch (stage_) {
    case Stage::settling:
      missing = settling();
      break;
    case Stage::spreading:
      missing = spreading();
      break;
    case Stage::walking:
      missing = walking();
      break;
    case Stage::leaving:
      missing = leaving();
      break;
  }
  return missing.empty() ? missing : "topics: " + missing + "\n";
}

std::string TopicWork::settling() {
  std::string missing = topics_fault();
  if (missing.empty()) missing = ledger_.unanswered();
  if (!missing.empty()) return missing;
  publish_round();
  stage_ = Stage::spreading;
  return "the last messages are on their way";
}

std::string TopicWork::spreading() {
  std::string missing = topics_fault();
  if (missing.empty()) missing = ledger_.unanswered();
  for (const PublishNumber number : last_round_) {
    if (!missing.empty()) return missing;
    missing = ledger_.acknowledged(number) ? ledger_.undelivered(number)
                                           : "the last messages were not acknowledged";
  }
  if (!missing.empty()) return missing;
  // Whatever was before the last messages of its root is there or never comes.
  ledger_.judge_losses();
  walk_round();
  stage_ = Stage::walking;
  return "trees are walked";
}

std::string TopicWork::walking() {
  std::string missing;
  for (std::size_t i = last_walks_; i < walks_.size() && missing.empty(); ++i) {
    const Walked& walked = walks_[i];
    if (!walked.answered) return "a walk is under way";
    missing = walked.tree ? walk_fault(*walked.tree, views(walked.topic))
                          : "the walk failed: " + walked.tree.error().message;
  }
  if (!missing.empty()) {
    walk_round();
    return missing;
  }
  leave_all();
  stage_ = Stage::leaving;
  return "all unsubscribe";
}

std::string TopicWork::leaving() {
  for (const auto& [node, member] : members_) {
    const std::size_t topics = member.scribe->topic_count();
    if (topics != 0) {
      return watcher_.who(node) + " still keeps " + std::to_string(topics) + " topics";
    }
  }
  for (const auto& [life, walks] : walks_under_way_) {
    if (!walks.empty()) return "a walk was not answered";
  }
  return {};
}

void TopicWork::count(sim::fuzz::GuestFigures& figures) const {
  const TopicFigures& told = ledger_.figures();
  figures["topics_subscribed"] += subscribed_;
  figures["messages_published"] += ledger_.next_publish();
  figures["messages_acknowledged"] += told.acknowledged;
  figures["messages_failed"] += told.failed;
  figures["messages_refused"] += refused_;
  figures["subscriptions_refused"] += subscriptions_refused_;
  figures["messages_delivered"] += told.delivered;
  figures["gaps"] += told.gaps;
  figures["topic_trees_walked"] += walked_;
}

}  // namespace pastry::cli
