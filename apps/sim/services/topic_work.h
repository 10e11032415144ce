// What fuzzed nodes do with topics, and what must be true of them [SCRIBE §3; scribe/scribe.h].
//
// Always:
//  members-only      nothing comes to who has unsubscribed or died, or of another topic
//  attached-once     a subscription is told at most once that it is attached
//  attached-first    and gets no message before
//  right-bytes       what arrives is what its publisher published under that session and number
//  no-duplicates     no message comes twice to a subscription
//  publisher-order   the messages of a publisher's session come in their order
//  hole              where one is left out, a gap was reported
//  position-order    positions ascend at each subscription
//  credit            no more messages wait for a subscriber than it gave credit for
//  consecutive       a publisher's messages are numbered without holes
//  callback-once     an accepted publish is answered once, if its node lives
//  callback-order    and in the order of the publishes of a topic
//  walk-once         a walk of the tree is answered once, if its node lives
//  full-only         a publish or subscription is refused for lack of room only
// In runs in which no live node can look dead:
//  needless-gap      before anybody died, who takes what it gets has no gap
// In those, and in every run once it has healed:
//  lost              what was published after a subscription was reported attached, and was
//                    acknowledged, came to it or a gap stands in its place
// Once the ring is right, within the time for rest:
//  every subscription is attached; each topic's nodes are one tree under the node nearest to its
//  key; every publish is answered; then messages to each topic reach every subscription and
//  are acknowledged, a walk finds exactly that tree, and once all have unsubscribed no node keeps
//  any topic.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "apps/sim/services/topic_ledger.h"
#include "apps/sim/services/topic_reader.h"
#include "apps/sim/services/topic_tree.h"
#include "pastry/core/application_ids.h"
#include "pastry/core/random.h"
#include "pastry/sim/fuzz/guests.h"
#include "pastry/sim/fuzz/watcher.h"
#include "pastry/sim/simulator.h"
#include "scribe/scribe.h"

namespace pastry::cli {

class TopicWork {
 public:
  // Both must outlive this; `crash_only`: no live node can look dead.
  TopicWork(sim::Simulator& simulator, sim::fuzz::Watcher& watcher, bool crash_only);

  // The node starts with this SCRIBE, which lives until gone().
  void started(sim::NodeIndex node, scribe::Scribe& scribe);
  // One operation of a node that is up.
  void work(sim::NodeIndex node, Random& random);
  void gone(sim::NodeIndex node);
  // Two rings may exist from now on.
  void excuse();
  // The ring is right and stays so.
  void examine();
  // What guests.h says of these.
  void proceed() { missing_ = next_missing(); }
  const std::string& unrest() const { return missing_; }
  void count(sim::fuzz::GuestFigures& figures) const;

 private:
  enum class Stage : std::uint8_t {
    settling,   // trees become right
    spreading,  // the last round reaches everybody
    walking,    // walks find the trees
    leaving,    // everything goes away
  };

  struct Member {  // a node that runs
    scribe::Scribe* scribe = nullptr;
    Life life = 0;
    std::vector<TopicReader*> readers;
  };

  struct Walked {
    std::string_view topic;
    bool answered = false;
    Result<scribe::Tree> tree = scribe::Tree{};
  };

  template <typename Action>
  void run(sim::NodeIndex node, Action&& action) {
    simulator_.run(node, kScribeApplication, std::forward<Action>(action));
  }
  template <typename Action>
  void for_each_open(Member& member, Action&& action) {
    for (TopicReader* reader : member.readers) {
      if (reader->open()) action(*reader);
    }
  }

  void subscribe(sim::NodeIndex node, Random& random);
  void unsubscribe(sim::NodeIndex node, Random& random);
  void publish(sim::NodeIndex node, std::string_view topic, std::size_t size);
  // Counts it if it is for lack of room.
  void refused(std::string_view what, const Error& error, std::uint64_t& count);
  void catch_up(sim::NodeIndex node, bool prompt);
  std::size_t walk(sim::NodeIndex node, std::string_view topic);

  TreeViews views(std::string_view topic);
  NodeId nearest(const Key& group) const;
  Key group(std::string_view topic) const;
  std::string topics_fault();
  std::string next_missing();
  std::string settling();
  std::string spreading();
  std::string walking();
  std::string leaving();
  void publish_round();
  void walk_round();
  void leave_all();

  sim::Simulator& simulator_;
  sim::fuzz::Watcher& watcher_;
  bool crash_only_;
  TopicLedger ledger_;
  Stage stage_ = Stage::settling;
  std::string missing_ = "topics were not looked at";
  std::map<sim::NodeIndex, Member> members_;
  Life lives_ = 0;
  // Of all that ever were: a call that must not come finds somebody.
  std::vector<std::unique_ptr<TopicReader>> readers_;
  std::vector<Walked> walks_;
  std::map<Life, std::set<std::size_t>> walks_under_way_;
  std::vector<PublishNumber> last_round_;
  std::size_t last_walks_ = 0;  // the first of those of the end
  std::uint64_t subscribed_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t subscriptions_refused_ = 0;
  std::uint64_t walked_ = 0;
};

}  // namespace pastry::cli
