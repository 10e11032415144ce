// The holder's side: what a member of a replica set does with its own store.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>

#include "pastry/replica/calls.h"
#include "pastry/replica/options.h"

namespace pastry::replica {

// What to do if an entry of this name is there already.
enum class WriteMode : std::uint8_t {
  strict,   // only a higher version replaces it; the same write again is fine
  repair,   // the winner of the two stays (supersedes())
  replace,  // as repair, and the same write is written again (the old bytes are damaged)
};

class Custodian {
 public:
  using Written = std::function<void(Context, Stored)>;
  // `entry` is meaningful with ok and removed.
  using Found = std::function<void(Context, Answer, const EntryInfo& entry)>;
  using Damaged = std::function<void(Context, const EntryInfo& name_only)>;

  // Both must outlive this. `damaged` is told when a read finds a corrupt copy.
  Custodian(const Options& options, Calls& calls, Damaged damaged);

  // Whether this node is a member of the largest replica set of the key: near enough to hold it.
  static bool near(Context context, const Key& key);

  // --- Requests of peers ---

  // Says to `source` who the replica set is, and what was found here: status, entry, and `sure` if
  // this is the root. `doubtful`: this node was away, or no member, and does not know yet what it
  // missed. What it has is then no answer; the asker is told to ask those who may know more.
  static void answer(Context context, Handle source, const Locate& request, Located located,
                     bool doubtful);
  void store(Context context, const Incoming& message, StoreMessage request, Payload body);
  void get(Context context, const Incoming& message, const Get& request);

  // --- Own store, for the other parts ---

  // Answers: ok (held now, with its version), conflict, removed, full, busy, corrupt (the value
  // does not match its digest), failed.
  void write(Context context, EntryInfo entry, Payload value, WriteMode mode, Written written);
  void look_up(Context context, const StoreName& name, Found found);
  // Drops the entry if its version is still `version`; nobody can write it in between.
  void drop(Context context, const StoreName& name, std::uint64_t version,
            std::function<void(Context, bool dropped)> dropped);
  bool writing(const StoreName& name) const { return writing_.count(name) != 0; }

 private:
  struct Write;

  void put(Context context, std::shared_ptr<Write> write);
  void settle(Context context, std::shared_ptr<Write> write);
  void decide(Context context, std::shared_ptr<Write> write, const EntryInfo& present);
  void finish(Context context, Write& write, Answer answer, std::uint64_t version);

  const Options* options_;
  Calls* calls_;
  Damaged damaged_;
  std::map<StoreName, int> writing_;
  std::set<StoreName> dropping_;
  std::size_t writing_bytes_ = 0;
  std::size_t serving_ = 0;
};

}  // namespace pastry::replica
