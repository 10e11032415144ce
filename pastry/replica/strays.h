// Copies that this node kept after it had left their replica set.
//
// Such a copy stays until all members have confirmed theirs (maintenance.h), and what is removed or
// replaced meanwhile does not reach it. When the node belongs to the set again the copy is in
// doubt, like all copies of a node that was away, but by itself, so that the others are compared as
// ever: all who may know are asked, and what somebody has newer is fetched. A copy that another
// node fetched from one that is no member is in the same doubt.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "pastry/replica/custodian.h"
#include "pastry/replica/puller.h"

namespace pastry::replica {

// How long somebody who does not answer keeps a copy in doubt: longer than it takes to notice a
// death. Later the copies that others lack count more.
inline constexpr Duration kDoubtMax = seconds(20);
// Beyond the members of a replica set, so many more are asked: they were members before others
// came.
inline constexpr int kFormerMembers = 4;
inline constexpr Duration kPeerTimeout = seconds(3);

class Strays {
 public:
  // All must outlive this.
  Strays(Calls& calls, Custodian& custodian, Puller& puller)
      : calls_(&calls), custodian_(&custodian), puller_(&puller) {}

  // The copy is held here, and this node is no member.
  void note(Time now, const StoreName& name) { note(now, name, 0); }
  // One is fetched that a node offered which is no member.
  void note(Time now, const Offered& entry) { note(now, entry.name, entry.fingerprint); }
  // A member offers the same.
  void vouched(const Offered& entry);
  // It is gone.
  void dropped(const StoreName& name) { strays_.erase(name); }
  // What nobody could be asked about in time is in doubt no longer.
  void forget_old(Time now);
  // The copy was noted, and has not been asked about since.
  Doubt doubt(Time now, const StoreName& name) const;
  // What is held here, is in doubt and belongs here again.
  void ask(Context context, const std::vector<EntryInfo>& entries);

 private:
  struct Stray {
    Time until{};        // the doubt ends at the latest
    bool asked = false;  // once
    std::uint64_t asking = 0;
    Doubt::Fingerprints fingerprints{};  // of what is fetched
  };
  struct Question;

  void note(Time now, const StoreName& name, std::uint64_t fingerprint);
  void add(Context context, Question& question, const EntryInfo& entry);
  void answered(Context context, Question& question, Handle peer, const OfferAnswer* answer);
  void settle(const Question& question);

  Calls* calls_;
  Custodian* custodian_;
  Puller* puller_;
  std::map<StoreName, Stray> strays_;
  std::uint64_t last_question_ = 0;
};

}  // namespace pastry::replica
