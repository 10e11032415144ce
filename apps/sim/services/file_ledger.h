// What fuzzed nodes did to files and records, and which answers are right [PAST §2; faults.md].
//
// Shares no code with what it judges. Rules:
// Always:
//  right-file       a read returns the bytes that were stored under the id
// In runs in which no live node can look dead:
//  right-record     a record read at a version has the value that was acknowledged with it
//  removed-stays    a read that begins after a removal was acknowledged finds nothing
//  versions-ascend  a record is read at the version acknowledged when the read began, or a later
//  one one-writer       no two updates of a record are acknowledged with the same version
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

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
    bool lost = false;  // by all that lived: it may have begun anew, and older ones may come back
    std::map<std::uint64_t, std::string> values;
  };
  // A read under way.
  struct Read {
    std::size_t what = 0;
    bool removed_before = false;
    std::uint64_t version_before = 0;
  };

  // `crash_only`: no live node can look dead.
  FileLedger(bool crash_only, Complain complain)
      : crash_only_(crash_only), complain_(std::move(complain)) {}

  // Two rings may exist from now on.
  void excuse() { crash_only_ = false; }

  std::size_t add_file(Bytes content, int wanted);
  void stored(std::size_t file, const past::FileId& id);
  void remove_begun(std::size_t file) { files_[file].remove_begun = true; }
  void removed(std::size_t file) { files_[file].removed = true; }
  // Nobody who lives knows of the removal any more.
  void removal_forgotten(std::size_t file) { files_[file].removed = false; }
  Read begin_read(std::size_t file) const { return {file, files_[file].removed, 0}; }
  void end_read(const Read& read, const Result<Bytes>& answer);

  std::size_t add_record(const StoreName& name, int wanted);
  void updated(std::size_t record, std::uint64_t version, const std::string& value);
  // Nobody who lives has what was acknowledged last.
  void record_lost(std::size_t record) { records_[record].lost = true; }
  Read begin_record_read(std::size_t record) const {
    return {record, false, records_[record].acknowledged};
  }
  void end_record_read(const Read& read, std::uint64_t version, const std::string& value);

  const std::vector<File>& files() const { return files_; }
  const std::vector<Record>& records() const { return records_; }

 private:
  bool crash_only_;
  Complain complain_;
  std::vector<File> files_;
  std::vector<Record> records_;
};

}  // namespace pastry::cli
