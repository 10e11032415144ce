#include "pastry/replica/maintenance.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "pastry/replica/hand_over_operation.h"

namespace pastry::replica {

namespace {

// What a client has just begun to store is on its way to the others; not worth an offer yet.
constexpr std::int64_t kYoungSeconds = 5;
// Entries far from their place that are given away at a time, and how long each may take.
constexpr std::size_t kHandOversMax = 64;
constexpr Duration kHandOverDeadline = seconds(30);
// Whoever leaves so many questions of a round unanswered is asked no more in it, or the round would
// last a timeout per page.
constexpr int kUnansweredMax = 2;

}  // namespace

struct Maintenance::Page {
  struct Line {
    EntryInfo entry;
    // Where it should be; if this node is not sure, of those only the root and itself.
    std::vector<Handle> set;
    bool member = false;  // this node belongs to the set
    bool sure = false;
    // Not sure, but the root counts this node among the members; in a round that asks: a member
    // that was not away holds the same.
    bool agreed = false;
    bool young = false;
    std::vector<Handle> confirmed;  // others of the set that hold it
  };
  struct Peer {
    std::vector<std::size_t> shared;  // lines that both should hold
    std::vector<std::size_t> offers;  // lines to offer one by one
    std::uint64_t sum = 0;            // of the fingerprints of `shared`
  };

  StoreName from;
  StoreName to;
  std::vector<Line> lines;
  std::vector<EntryInfo> doubtful;  // not to be compared yet
  std::map<Handle, Peer> peers;
  bool asked = false;  // of a round that asks: about what no summary vouched for
  std::size_t waiting = 0;
};

Maintenance::Maintenance(const Options& options, Operations& operations, Custodian& custodian,
                         Puller& puller, Leases& leases, Strays& strays)
    : options_(&options),
      operations_(&operations),
      calls_(&operations.calls),
      custodian_(&custodian),
      puller_(&puller),
      leases_(&leases),
      strays_(&strays),
      pause_(options.maintenance_period_busy) {}

// --- When ---

void Maintenance::membership_changed(Context context) {
  holding_ = true;
  pause_ = options_->maintenance_period_busy;
  // What the last round found holds no longer.
  shown_.settled = false;
  if (running_) {
    again_ = true;
  } else {
    schedule(context, context.random().jittered(options_->settle_delay, 50));
  }
}

void Maintenance::returned(Context context) {
  doubtful_ = true;
  doubt_until_ = context.now() + kDoubtMax;
  membership_changed(context);
}

void Maintenance::ensure(Context context) {
  // What came first is counted soon, so that a node does not pass for an empty one.
  if (!holding_) membership_changed(context);
  if (timer_ == 0 && !running_) {
    schedule(context, context.random().jittered(options_->maintenance_period, 25));
  }
}

void Maintenance::schedule(Context context, Duration delay) {
  const Time due = context.now() + delay;
  if (timer_ != 0 && due_ <= due) return;
  calls_->cancel(context, timer_);
  due_ = due;
  timer_ = calls_->after(context, delay, [this](Context c) {
    timer_ = 0;
    begin_round(c);
  });
}

void Maintenance::begin_round(Context context) {
  // An inactive node does not know its place; activity() makes it look again.
  if (!context.active()) return;
  doubtful_ = doubtful_ && context.now() < doubt_until_;
  asking_ = doubtful_;
  running_ = true;
  again_ = false;
  missing_ = false;
  only_young_ = true;
  counted_ = Status{};
  cursor_ = first_name();
  unanswered_.clear();
  leases_->begin_scan();
  strays_->forget_old(context.now());
  next_page(context);
}

void Maintenance::end_round(Context context) {
  running_ = false;
  missing_ = missing_ || puller_->pending() > 0;
  if (asking_) return end_asking(context);
  counted_.settled = !missing_ && !again_;
  shown_ = counted_;
  leases_->check(context);
  const bool empty = shown_.blobs + shown_.records + shown_.tombstones == 0;
  if (again_) {
    schedule(context, context.random().jittered(options_->settle_delay, 50));
  } else if (missing_) {
    schedule(context, context.random().jittered(pause_, 25));
    // What is only young, and on its way to the others, is worth another look without patience.
    if (!only_young_) pause_ = std::min(pause_ * 2, options_->maintenance_period);
  } else if (!empty) {
    pause_ = options_->maintenance_period_busy;
    schedule(context, context.random().jittered(options_->maintenance_period, 25));
  }
}

void Maintenance::end_asking(Context context) {
  // What was fetched may not be all there is: asked once more.
  doubtful_ = missing_ || again_;
  const Duration pause = !doubtful_ ? Duration::zero()
                         : again_   ? options_->settle_delay
                                    : options_->maintenance_period_busy;
  schedule(context, context.random().jittered(pause, 50));
}

void Maintenance::abandon_round(Context context) {
  missing_ = true;
  only_young_ = false;
  counted_ = shown_;
  end_round(context);
}

// --- Own entries, page by page ---

void Maintenance::next_page(Context context) {
  calls_->store(context, StoreScan{cursor_, last_name(), options_->page_entries},
                [this](Context c, const Result<StoreOutcome>& result) {
                  const auto* scan = result ? std::get_if<StoreScanDone>(&*result) : nullptr;
                  if (scan == nullptr || !c.active()) return abandon_round(c);
                  scanned(c, *scan);
                });
}

void Maintenance::scanned(Context context, const StoreScanDone& scan) {
  auto page = std::make_shared<Page>();
  page->from = cursor_;
  page->to = last_name();
  std::optional<StoreName> next;
  if (scan.more && !scan.entries.empty()) {
    page->to = scan.entries.back().name;
    next = successor(page->to);
  }
  for (const StoreEntry& stored : scan.entries) {
    auto entry = entry_info(stored);
    if (entry) place(context, *page, std::move(*entry));
  }
  cursor_ = next.value_or(first_name());
  if (!page->doubtful.empty()) strays_->ask(context, page->doubtful);
  compare(context, page);
}

// Finds out who should hold the entry.
void Maintenance::place(Context context, Page& page, EntryInfo entry) {
  if (entry.meta.parent) {
    leases_->note(context, *entry.meta.parent, entry.meta.created);
    if (leases_->expired(*entry.meta.parent)) {
      custodian_->drop(context, entry.name, entry.version,
                       [this, name = entry.name](Context, bool dropped) {
                         if (!dropped) return;
                         strays_->dropped(name);
                         ++expired_;
                       });
      return;
    }
  }
  ++(entry.meta.tombstone                   ? counted_.tombstones
     : entry.meta.kind == EntryKind::record ? counted_.records
                                            : counted_.blobs);
  counted_.bytes += entry.size;
  Page::Line line;
  const Placement where = placement(context, entry.name.key(), entry.meta.replicas);
  line.member = where.member;
  line.sure = where.sure;
  if (!line.member) strays_->note(context.now(), entry.name);
  if (asking_) return place_to_ask(context, page, std::move(entry), where);
  if (line.member && strays_->doubt(context.now(), entry.name).about(entry)) {
    page.doubtful.push_back(std::move(entry));
    missing_ = true;
    only_young_ = false;
    return;
  }
  const std::int64_t age = context.wall_time().unix_seconds - entry.meta.created;
  line.young = age >= 0 && age < kYoungSeconds;
  if (!line.sure && !line.member) {
    hand_over(context, entry);
    missing_ = true;
    only_young_ = false;
    return;
  }
  for (const Handle node : where.set) {
    const bool own = node == context.self();
    if (line.sure || own || compared_with(context, where, node)) line.set.push_back(node);
  }
  for (const Handle node : line.set) {
    if (node == context.self()) continue;
    Page::Peer& peer = page.peers[node];
    if (line.member) {
      peer.shared.push_back(page.lines.size());
      peer.sum += fingerprint(entry);
    } else if (!line.young) {
      peer.offers.push_back(page.lines.size());
    }
  }
  line.entry = std::move(entry);
  page.lines.push_back(std::move(line));
}

void Maintenance::place_to_ask(Context context, Page& page, EntryInfo entry,
                               const Placement& where) {
  for (const Handle node : where.set) {
    if (node == context.self() || !compared_with(context, where, node)) continue;
    Page::Peer& peer = page.peers[node];
    peer.shared.push_back(page.lines.size());
    peer.sum += fingerprint(entry);
  }
  Page::Line line;
  line.entry = std::move(entry);
  page.lines.push_back(std::move(line));
}

// True if there was one.
bool Maintenance::skip_silent(Page& page) {
  return std::erase_if(page.peers, [this](const auto& peer) {
           const auto found = unanswered_.find(peer.first);
           return found != unanswered_.end() && found->second >= kUnansweredMax;
         }) > 0;
}

void Maintenance::compare(Context context, const std::shared_ptr<Page>& page) {
  skip_silent(*page);
  page->waiting = page->peers.size();
  if (page->peers.empty()) return all_compared(context, page);
  for (const auto& [peer, work] : page->peers) {
    if (work.shared.empty()) {
      offer_to(context, page, peer);
      continue;
    }
    const Summary summary{page->from, page->to, static_cast<std::uint32_t>(work.shared.size()),
                          work.sum};
    calls_->request(context, peer, summary, kPeerTimeout,
                    [this, page, node = peer](Context c, const Result<Frame>& answer) {
                      const auto* summed =
                          answer ? std::get_if<Summarised>(&answer->message) : nullptr;
                      if (summed == nullptr) {
                        ++unanswered_[node];
                        return compared(c, page);
                      }
                      summarised(c, page, node, *summed);
                    });
  }
}

void Maintenance::summarised(Context context, const std::shared_ptr<Page>& page, Handle peer,
                             const Summarised& answer) {
  Page::Peer& with = page->peers.at(peer);
  for (const std::size_t i : with.shared) {
    Page::Line& line = page->lines[i];
    if (answer.same) {
      line.confirmed.push_back(peer);
      line.agreed = !asking_ || !answer.doubtful || line.agreed;
    } else if (!line.young && !asking_) {
      with.offers.push_back(i);
    }
  }
  offer_to(context, page, peer);
}

void Maintenance::offer_to(Context context, const std::shared_ptr<Page>& page, Handle peer) {
  Page::Peer& work = page->peers.at(peer);
  if (work.offers.empty()) return compared(context, page);
  std::sort(work.offers.begin(), work.offers.end());
  Offer offer;
  offer.ask = asking_;
  for (const std::size_t i : work.offers) offer.entries.push_back(offered(page->lines[i].entry));
  calls_->request(context, peer, offer, kPeerTimeout,
                  [this, page, peer](Context c, const Result<Frame>& answer) {
                    const auto* judged =
                        answer ? std::get_if<OfferAnswer>(&answer->message) : nullptr;
                    const Page::Peer& with = page->peers.at(peer);
                    if (judged != nullptr && judged->answers.size() == with.offers.size()) {
                      answered(c, *page, peer, *judged);
                    } else {
                      ++unanswered_[peer];
                      missing_ = missing_ || asking_;  // an answer
                    }
                    compared(c, page);
                  });
}

void Maintenance::answered(Context context, Page& page, Handle peer, const OfferAnswer& answer) {
  const Page::Peer& with = page.peers.at(peer);
  for (std::size_t i = 0; i < with.offers.size(); ++i) {
    Page::Line& line = page.lines[with.offers[i]];
    if (confirms(answer.answers[i])) line.confirmed.push_back(peer);
    if (!asking_ || answer.answers[i] != static_cast<std::uint8_t>(OfferStatus::newer)) continue;
    missing_ = true;
    if (!custodian_->writing(line.entry.name)) {
      (void)puller_->want(context, offered(line.entry), peer);
    }
  }
}

void Maintenance::compared(Context context, const std::shared_ptr<Page>& page) {
  if (--page->waiting == 0) all_compared(context, page);
}

void Maintenance::all_compared(Context context, const std::shared_ptr<Page>& page) {
  if (!asking_) return judge(context, *page);
  if (std::exchange(page->asked, true)) return next_page_or_end(context);
  ask_about_rest(context, page);
}

// Who was not away has no summary to vouch for these.
void Maintenance::ask_about_rest(Context context, const std::shared_ptr<Page>& page) {
  page->peers.clear();
  for (std::size_t i = 0; i < page->lines.size(); ++i) {
    const EntryInfo& entry = page->lines[i].entry;
    if (page->lines[i].agreed) continue;
    const int reach = entry.meta.replicas + kFormerMembers;
    for (const Handle node : who_may_know(context, entry.name.key(), reach)) {
      if (node != context.self()) page->peers[node].offers.push_back(i);
    }
  }
  missing_ = skip_silent(*page) || missing_;
  if (page->peers.empty()) return next_page_or_end(context);
  page->waiting = page->peers.size();
  for (const auto& [peer, work] : page->peers) offer_to(context, page, peer);
}

// What is missing, and what may go?
void Maintenance::judge(Context context, Page& page) {
  for (const Page::Line& line : page.lines) {
    // Who stands at the end of its leaf set may take itself for a member because it does not see
    // the nearer ones beyond: the root does.
    if (!line.sure && !line.agreed && !line.young) hand_over(context, line.entry);
    const std::size_t others = line.set.size() - (line.member ? 1 : 0);
    const std::size_t k = line.entry.meta.replicas;
    const std::size_t copies = line.confirmed.size() + (line.member ? 1 : 0);
    if (line.confirmed.size() < others) {
      missing_ = true;
      only_young_ = only_young_ && line.young;
    }
    const auto first = std::find_if(line.set.begin(), line.set.end(), [&](Handle node) {
      return (line.member && node == context.self()) || contains(line.confirmed, node);
    });
    const bool counts_here = first == line.set.end() || *first == context.self();
    const EntryMeta& meta = line.entry.meta;
    const bool file = meta.kind == EntryKind::blob && !meta.tombstone && !meta.parent;
    if (file && counts_here) ++counted_.files;
    if (counts_here && !line.young)
      count_copies(k, std::min(k, line.set.size()), copies, line.entry.size);
    if (line.member || line.confirmed.size() < others || others == 0) continue;
    if (context.active()) drop(context, line.entry.name, line.entry.version);
  }
  next_page_or_end(context);
}

void Maintenance::next_page_or_end(Context context) {
  if (cursor_ != first_name()) return next_page(context);
  leases_->end_scan();
  if (!asking_) counted_.counted = context.now();
  end_round(context);
}

void Maintenance::count_copies(std::size_t wanted, std::size_t possible, std::size_t copies,
                               std::uint64_t size) {
  if (copies < possible) {
    ++counted_.under_replicated;
    counted_.bytes_to_repair += size * (possible - copies);
  } else if (possible < wanted) {
    ++counted_.short_of_nodes;
    counted_.nodes_wanted = std::max<std::uint64_t>(counted_.nodes_wanted, wanted);
  }
}

void Maintenance::hand_over(Context context, const EntryInfo& entry) {
  if (handing_over_.size() >= kHandOversMax || !handing_over_.insert(entry.name).second) return;
  operations_->begin(
      context, std::make_shared<HandOverOperation>(
                   *operations_, kReplicaApplication, entry, kHandOverDeadline,
                   [this, name = entry.name, version = entry.version](Context c, bool confirmed) {
                     handing_over_.erase(name);
                     if (confirmed) drop(c, name, version);
                   }));
}

void Maintenance::drop(Context context, const StoreName& name, std::uint64_t version) {
  custodian_->drop(context, name, version, [this, name](Context, bool dropped) {
    if (!dropped) return;
    strays_->dropped(name);
    ++handed_over_;
    pause_ = options_->maintenance_period_busy;  // there is progress; go on soon
  });
}

void Maintenance::report(Status& status) const {
  status = shown_;
  status.handed_over = handed_over_;
  status.expired = expired_;
  status.scanning = running_;
  status.uncounted = holding_ && !shown_.counted;
  status.pending_pulls = puller_->pending();
  status.pending_pull_bytes = puller_->pending_bytes();
  status.pulled = puller_->pulled();
  status.healed = puller_->healed();
}

}  // namespace pastry::replica
