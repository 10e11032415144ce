// Fetches entries that this node should hold and lacks, from peers that have them.
//
// Bounded in number, in bytes under way and in rate; those with the fewest known copies first
// [PAST §3.5].
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "pastry/replica/custodian.h"

namespace pastry::replica {

class Puller {
 public:
  // Whether an entry that arrived is still wanted.
  using Wanted = std::function<bool(const EntryInfo&)>;
  using Drained = std::function<void(Context)>;

  // All must outlive this. `drained` is called when the last pull has ended.
  Puller(const Options& options, Calls& calls, Custodian& custodian, Wanted wanted, Drained drained)
      : options_(&options),
        calls_(&calls),
        custodian_(&custodian),
        wanted_(std::move(wanted)),
        drained_(std::move(drained)) {}

  // `source` has the entry; false if there is no room for more.
  bool want(Context context, const Offered& entry, Handle source);
  bool wants(const Offered& entry) const;
  // The own copy is damaged: fetch it anew.
  void heal(Context context, const StoreName& name);
  void mark_handles(Directory& directory) const;

  std::size_t pending() const { return pulls_.size(); }
  std::uint64_t pending_bytes() const { return pending_bytes_; }
  std::uint64_t pulled() const { return pulled_; }
  std::uint64_t healed() const { return healed_; }

 private:
  struct Pull {
    Offered entry;
    std::vector<Handle> sources;  // who has it, in the order in which they said so
    std::size_t tried = 0;
    bool running = false;
    bool replace = false;
  };

  void add(Context context, const Offered& entry, std::vector<Handle> sources, bool replace);
  void start_some(Context context);
  bool may_start(Context context);
  void start(Context context, const StoreName& name);
  void arrived(Context context, const StoreName& name, const Result<Frame>& answer);
  void written(Context context, const StoreName& name, Answer answer);
  void next_source(Context context, const StoreName& name);
  void forget(Context context, const StoreName& name);

  const Options* options_;
  Calls* calls_;
  Custodian* custodian_;
  Wanted wanted_;
  Drained drained_;
  std::map<StoreName, Pull> pulls_;
  std::set<std::pair<std::size_t, StoreName>> queue_;  // (known copies, name) of those not running
  std::size_t running_ = 0;
  std::uint64_t running_bytes_ = 0;
  std::uint64_t pending_bytes_ = 0;
  Time next_start_{};  // what the rate allows
  std::uint64_t timer_ = 0;
  std::uint64_t pulled_ = 0;
  std::uint64_t healed_ = 0;
};

}  // namespace pastry::replica
