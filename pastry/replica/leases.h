// Parts of uploads: each stays only as long as the entry that makes it permanent exists.
//
// A part names its parent. Some time after a part was first seen its parent is looked for; if the
// whole replica set says twice, a lease apart, that there is none, the parts are dropped.
#pragma once

#include <cstdint>
#include <map>

#include "pastry/replica/operation.h"

namespace pastry::replica {

class Leases {
 public:
  // Must outlive this.
  explicit Leases(Operations& operations) : operations_(&operations) {}

  // A part with this parent is held here.
  void note(Context context, const StoreName& parent);
  // Looks for parents whose check is due; a few at a time.
  void check(Context context);
  bool expired(const StoreName& parent) const;

 private:
  struct Lease {
    Time due{};
    int misses = 0;
    bool asking = false;
  };

  void answered(Context context, const StoreName& parent, bool exists, bool definite);

  Operations* operations_;
  std::map<StoreName, Lease> leases_;
  std::size_t asking_ = 0;
};

}  // namespace pastry::replica
