// The root's side of records: decides which update of a record wins.
//
// Requests arrive by consistent lookup, so that (leases) one node at a time decides. A root that
// has not served a record since its leaf set last changed first asks the replica set for the newest
// version. An update is written by the other members before the root writes it itself, and a member
// refuses a second write of the same version: of two nodes that both take themselves for the root,
// at most one is acknowledged.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "pastry/replica/custodian.h"
#include "pastry/replica/former_roots.h"

namespace pastry::replica {

class RecordKeeper {
 public:
  // All must outlive this.
  RecordKeeper(const Hash& hash, const Options& options, Calls& calls, Custodian& custodian,
               FormerRoots& former_roots)
      : hash_(&hash),
        options_(&options),
        calls_(&calls),
        custodian_(&custodian),
        former_roots_(&former_roots) {}

  void request(Context context, const Delivery& message, const RecordMessage& request,
               const Payload& value);
  // The leaf set changed: what was known to be the newest may not be any more.
  void membership_changed();
  void mark_handles(Directory& directory) const;
  // An update of the record is being written: what the stores hold may change at any moment.
  bool committing(const StoreName& name) const;

 private:
  struct Job {
    Handle from = kNoHandle;
    RecordMessage request;
    Payload value;
  };
  struct Finding {
    Handle node = kNoHandle;
    Answer answer = Answer::failed;
    EntryInfo entry;
  };
  struct Postponed {
    Time first{};  // when a job was put off because of it, since it last said otherwise
    Time last{};
  };
  // What one name is busy with; jobs are done one at a time.
  struct Work {
    std::deque<Job> jobs;
    std::uint64_t epoch = 0;  // when the newest version was asked for
    std::vector<Finding> findings;
    std::size_t waiting = 0;
    bool committing = false;
    EntryInfo entry;  // being written
    Payload frame;
    Payload value;
    std::vector<Handle> acknowledged;
    Answer worst = Answer::ok;
    int target = 0;
  };

  void next(Context context, const StoreName& name);
  void answer(Context context, const StoreName& name, Recorded recorded, ByteView value = {});
  void later(Context context, const StoreName& name);

  // Learning the newest version.
  void ask_all(Context context, const StoreName& name);
  void found(Context context, const StoreName& name, std::size_t index, Answer answer,
             const EntryInfo& entry);
  void asked_all(Context context, const StoreName& name);
  bool may_postpone(Context context, const StoreName& name, Handle node);
  void adopt(Context context, const StoreName& name, Handle from);
  void learnt(Context context, const StoreName& name);

  // Carrying out the job at the front.
  void execute(Context context, const StoreName& name);
  void read(Context context, const StoreName& name, Answer answer, const EntryInfo& present,
            const Payload& value);
  void update(Context context, const StoreName& name, Answer answer, EntryInfo present,
              const Payload& value);
  void replicate(Context context, const StoreName& name, EntryInfo entry, const Payload& value);
  void replicated(Context context, const StoreName& name, Handle node, Answer answer);
  void write_here(Context context, const StoreName& name);
  void written_here(Context context, const StoreName& name, Answer answer);

  const Hash* hash_;
  const Options* options_;
  Calls* calls_;
  Custodian* custodian_;
  FormerRoots* former_roots_;
  std::map<StoreName, Work> work_;
  std::size_t job_bytes_ = 0;  // of the values of all jobs
  // Records whose newest version is here for sure.
  std::set<StoreName> fresh_;
  std::uint64_t epoch_ = 0;
  // Who has an update of which record under way, as it says.
  std::map<std::pair<StoreName, Handle>, Postponed> postponed_;
};

}  // namespace pastry::replica
