// What fuzzed nodes did to files and records, and which answers are right [PAST §2; faults.md].
//
// Shares no code with what it judges. Rules:
// Always:
//  right-file       a read returns the bytes that were stored under the id
//  durable-copies   what is acknowledged (a file, a removal, an update of a record) has k copies,
//                   and as many stores have each part of it as the acknowledgement says; a removal
//                   in a ring of fewer nodes has one on each
//  never-lost       of each part of an acknowledged file some live node has a copy, until it is
//                   removed or k that had one died before there were k again
//  never-forgotten  likewise some live node knows of a removal, and what was acknowledged last of a
//                   record
// In runs in which no live node can look dead, and in every run for reads that begin once it has
// healed; of what is not lost or forgotten, as above:
//  right-record     a record read at a version has the value that was acknowledged with it
//  removed-stays    a read that begins after a removal was acknowledged finds nothing
//  versions-ascend  a record is read at the version acknowledged when the read began, or a later
//  one-writer       no two updates of a record are acknowledged with the same version
// What is asked of operations and at the end: file_work.h.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "apps/sim/services/survival.h"
#include "past/past.h"
#include "pastry/replica/replica.h"

namespace pastry::cli {

class FileLedger {
 public:
  using Complain = std::function<void(std::string rule, std::string what)>;

  struct File {
    Bytes content;
    int wanted = 0;  // k
    past::FileId id;
    bool stored = false;        // acknowledged; only then the id is known
    bool remove_begun = false;  // it may be gone
    bool removed = false;       // acknowledged, and somebody who knows it lives
  };
  struct Record {
    StoreName name;
    int wanted = 0;
    std::uint64_t acknowledged = 0;  // the highest version; 0: none
    // The last that was seen or acknowledged: what an update is based on.
    std::uint64_t seen = 0;
    bool outdated = false;  // that is not the newest any more
    bool lost = false;  // by all that lived: it may have begun anew, and older ones may come back
    std::map<std::uint64_t, std::string> values;
  };
  // A read under way.
  struct Read {
    std::size_t what = 0;
    bool removed_before = false;
    std::uint64_t version_before = 0;
    bool judged = false;  // no two rings when it began, and not lost
  };
  // What an acknowledgement says, and what the stores say at that moment.
  struct Copies {
    std::size_t said = 0;
    std::size_t least = 0;   // that it had to say
    std::size_t stores = 0;  // that have it
    std::size_t live = 0;    // of these, on nodes that run
  };
  // Something acknowledged that is to survive.
  enum class What : std::uint8_t { part, removal, update };
  struct Promise {
    What what = What::part;
    std::size_t index = 0;  // of the file or record
    StoreName name;
    Survival survival;
    bool over = false;  // it may be gone, or is to be
  };

  // `crash_only`: no live node can look dead; `patience`: as for Survival.
  FileLedger(bool crash_only, Duration patience, Complain complain)
      : crash_only_(crash_only), patience_(patience), complain_(std::move(complain)) {}

  // Two rings may exist from now on.
  void excuse() { crash_only_ = false; }
  bool one_ring() const { return crash_only_; }

  // --- Files ---

  std::size_t add_file(Bytes content, int wanted);
  void stored(std::size_t file, const past::FileId& id);
  // Of each of its parts, when it is stored.
  void part_stored(Time now, std::size_t file, const StoreName& part, const Copies& copies);
  void remove_begun(std::size_t file);
  void removed(Time now, std::size_t file, const Copies& copies);
  Read begin_read(std::size_t file) const { return {file, files_[file].removed, 0, crash_only_}; }
  void end_read(const Read& read, const Result<Bytes>& answer);

  // --- Records ---

  std::size_t add_record(const StoreName& name, int wanted);
  void updated(Time now, std::size_t record, std::uint64_t version, const std::string& value,
               const Copies& copies);
  // An update was refused: the record has another version than was seen last.
  void conflicted(std::size_t record) { records_[record].outdated = true; }
  Read begin_record_read(std::size_t record) const;
  void end_record_read(const Read& read, std::uint64_t version, const std::string& value);
  // A read found none.
  void record_missing(std::size_t record);

  // --- Deaths and the end ---

  // A node that had what is promised died; `live` had it before, this one included.
  void holder_died(Time now, std::size_t promise, std::size_t live);
  // The end of a run: none that lives has it.
  void nobody_has(std::size_t promise) { judge_loss(promises_[promise]); }
  // There is one ring for good: all rules hold from now on.
  void demand_all() { crash_only_ = true; }
  // What live nodes have of a record then; version 0: nothing.
  void record_is(Time now, std::size_t record, std::uint64_t version, const std::string& value,
                 std::size_t live);

  const std::vector<File>& files() const { return files_; }
  const std::vector<Record>& records() const { return records_; }
  const std::vector<Promise>& promises() const { return promises_; }

 private:
  void check_copies(const std::string& what, const Copies& copies);
  void promise(Time now, What what, std::size_t index, const StoreName& name, std::size_t wanted,
               std::size_t live);
  void judge_loss(Promise& promise);
  std::string describe(const Promise& promise) const;

  bool crash_only_;
  Duration patience_;
  Complain complain_;
  std::vector<File> files_;
  std::vector<Record> records_;
  std::vector<Promise> promises_;
};

}  // namespace pastry::cli
