// Parts of uploads: each stays only as long as the entry that makes it permanent exists.
//
// A part names its parent. Some time after a part was first seen its parent is looked for. If the
// whole replica set says twice, a lease apart, that there is none, the upload was given up and its
// parts are dropped. A parent that was found once is another matter: that nobody has it any more,
// not even as removed, can mean that this node is cut off from those who do. Its parts stay for two
// weeks of such answers. What was removed (there is a tombstone) loses its parts at once.
//
// Over a restart, or when another holder gets the part, all that tells whether the parent was found
// once is how old the part says it is, and that is the writer's word: who dates parts back by more
// than four leases (a day) keeps what it never completes for two weeks instead of two leases. It
// could keep it for ever by completing it.
#pragma once

#include <cstdint>
#include <map>

#include "pastry/replica/operation.h"

namespace pastry::replica {

class Leases {
 public:
  // Must outlive this.
  explicit Leases(Operations& operations) : operations_(&operations) {}

  // A part with this parent is held here; `created`: its age, Unix seconds.
  void note(Context context, const StoreName& parent, std::int64_t created);
  // A scan of all own entries begins; and has noted every part that is held.
  void begin_scan() { ++scan_; }
  void end_scan();
  // Looks for parents whose check is due; a few at a time.
  void check(Context context);
  bool expired(const StoreName& parent) const;

 private:
  struct Lease {
    Time due{};
    std::uint32_t scan = 0;  // the last one that noted it
    std::uint16_t misses = 0;
    std::uint8_t remembered = 0;  // leases since it expired
    bool confirmed = false;       // the parent was there once
    bool removed = false;         // and is gone for good
    bool asking = false;
  };
  enum class Finding : std::uint8_t { unknown, exists, missing, removed };

  static bool expired(const Lease& lease);
  void answered(Context context, const StoreName& parent, Finding finding);

  Operations* operations_;
  std::map<StoreName, Lease> leases_;
  std::uint32_t scan_ = 0;
  std::size_t asking_ = 0;
};

}  // namespace pastry::replica
