// Keeps k copies of every entry on the current replica set [PAST §3.5].
//
// When the leaf set changes, and from time to time, a node goes through its store page by page.
// With each peer that should hold some of a page's entries too it compares number and sum of
// fingerprints, on difference the entries themselves; the peer then fetches what it lacks. An entry
// whose replica set this node has left is offered to all its members, and dropped when all of them
// have confirmed theirs. A node that is not sure who the members are compares with the root alone,
// and asks it by name where they differ.
//
// A node that comes back first asks what it missed, and offers nothing meanwhile: a summary that is
// the same as that of a member that was not away vouches for a page's entries; about the others all
// who may know are asked, and what somebody has newer (a tombstone, say) is fetched.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "pastry/replica/custodian.h"
#include "pastry/replica/leases.h"
#include "pastry/replica/placement.h"
#include "pastry/replica/puller.h"
#include "pastry/replica/replica.h"
#include "pastry/replica/strays.h"

namespace pastry::replica {

class Maintenance {
 public:
  // All must outlive this.
  Maintenance(const Options& options, Operations& operations, Custodian& custodian, Puller& puller,
              Leases& leases, Strays& strays);

  // The leaf set changed or the node became active: compare soon.
  void membership_changed(Context context);
  // The node is active again and holds what it held before: in doubt until it has asked the others
  // what it missed, soon.
  void returned(Context context);
  // Something is held here: make sure that there will be a comparison, the first one soon.
  void ensure(Context context);

  // What is held here, or this copy of it, may have been replaced or removed while this node was
  // away, or no member.
  bool doubtful() const { return doubtful_; }
  Doubt doubt(Time now, const StoreName& name) const {
    return doubtful_ ? Doubt{true, {}} : strays_->doubt(now, name);
  }

  // Fills in what this part knows.
  void report(Status& status) const;

 private:
  struct Page;

  void schedule(Context context, Duration delay);
  void begin_round(Context context);
  void end_round(Context context);
  void end_asking(Context context);
  void abandon_round(Context context);
  void next_page(Context context);
  void scanned(Context context, const StoreScanDone& scan);
  void place(Context context, Page& page, EntryInfo entry);
  bool skip_silent(Page& page);
  void place_to_ask(Context context, Page& page, EntryInfo entry, const Placement& where);
  void compare(Context context, const std::shared_ptr<Page>& page);
  void summarised(Context context, const std::shared_ptr<Page>& page, Handle peer,
                  const Summarised& answer);
  void offer_to(Context context, const std::shared_ptr<Page>& page, Handle peer);
  void answered(Context context, Page& page, Handle peer, const OfferAnswer& answer);
  void compared(Context context, const std::shared_ptr<Page>& page);
  void all_compared(Context context, const std::shared_ptr<Page>& page);
  void ask_about_rest(Context context, const std::shared_ptr<Page>& page);
  void judge(Context context, Page& page);
  void next_page_or_end(Context context);

  void count_copies(std::size_t wanted, std::size_t possible, std::size_t copies,
                    std::uint64_t size);
  void hand_over(Context context, const EntryInfo& entry);
  void drop(Context context, const StoreName& name, std::uint64_t version);

  const Options* options_;
  Operations* operations_;
  Calls* calls_;
  Custodian* custodian_;
  Puller* puller_;
  Leases* leases_;
  Strays* strays_;
  Status shown_;    // of the last complete round
  Status counted_;  // of the round under way
  std::uint64_t handed_over_ = 0;
  std::set<StoreName> handing_over_;  // entries far from this node's place, on their way
  std::uint64_t expired_ = 0;
  std::map<Handle, int> unanswered_;  // questions of this round
  StoreName cursor_;
  Duration pause_{};  // until the next round while something is missing
  std::uint64_t timer_ = 0;
  Time due_ = kNever;
  Time doubt_until_{};  // it ends then at the latest
  bool doubtful_ = false;
  bool asking_ = false;   // the round under way asks what this node missed
  bool holding_ = false;  // there may be something to compare
  bool running_ = false;
  bool again_ = false;      // the leaf set changed during the round
  bool missing_ = false;    // the round found something to do
  bool only_young_ = true;  // and that is what clients are just storing
};

}  // namespace pastry::replica
