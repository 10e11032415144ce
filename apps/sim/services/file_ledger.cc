#include "apps/sim/services/file_ledger.h"

#include <algorithm>
#include <utility>

namespace pastry::cli {

// --- Files ---

std::size_t FileLedger::add_file(Bytes content, int wanted) {
  File file;
  file.content = std::move(content);
  file.wanted = wanted;
  files_.push_back(std::move(file));
  return files_.size() - 1;
}

void FileLedger::stored(std::size_t file, const past::FileId& id) {
  files_[file].stored = true;
  files_[file].id = id;
}

void FileLedger::part_stored(Time now, std::size_t file, const StoreName& part,
                             const Copies& copies) {
  check_copies("entry " + part.hex() + " of file " + std::to_string(file), copies);
  promise(now, What::part, file, part, copies.said, copies.live);
}

void FileLedger::remove_begun(std::size_t file) {
  files_[file].remove_begun = true;
  for (Promise& promise : promises_) {
    if (promise.what == What::part && promise.index == file) promise.over = true;
  }
}

void FileLedger::removed(Time now, std::size_t file, const Copies& copies) {
  files_[file].removed = true;
  check_copies("the removal of file " + std::to_string(file), copies);
  promise(now, What::removal, file, files_[file].id, copies.said, copies.live);
}

void FileLedger::end_read(const Read& read, const Result<Bytes>& answer) {
  if (!answer) return;
  const File& file = files_[read.what];
  const std::string name = "file " + std::to_string(read.what) + " (" + file.id.hex() + ")";
  if (*answer != file.content) {
    complain_("right-file", name + " was read with " + std::to_string(answer->size()) +
                                " bytes that are not the " + std::to_string(file.content.size()) +
                                " stored");
  }
  if (crash_only_ && read.judged && read.removed_before && file.removed) {
    complain_("removed-stays", name + " was read after its removal was acknowledged");
  }
}

// --- Records ---

std::size_t FileLedger::add_record(const StoreName& name, int wanted) {
  Record record;
  record.name = name;
  record.wanted = wanted;
  records_.push_back(std::move(record));
  return records_.size() - 1;
}

void FileLedger::updated(Time now, std::size_t record, std::uint64_t version,
                         const std::string& value, const Copies& copies) {
  Record& known = records_[record];
  check_copies("version " + std::to_string(version) + " of record " + std::to_string(record),
               copies);
  const auto [same, first] = known.values.emplace(version, value);
  if (!first && same->second != value && crash_only_ && !known.lost) {
    complain_("one-writer", "record " + std::to_string(record) + " was acknowledged at version " +
                                std::to_string(version) + " as '" + same->second + "' and as '" +
                                value + "'");
  }
  same->second = value;
  known.seen = version;
  known.outdated = false;
  if (version < known.acknowledged) return;
  known.acknowledged = version;
  promise(now, What::update, record, known.name, copies.said, copies.live);
}

FileLedger::Read FileLedger::begin_record_read(std::size_t record) const {
  const Record& known = records_[record];
  return {record, false, known.acknowledged, crash_only_ && !known.lost};
}

void FileLedger::end_record_read(const Read& read, std::uint64_t version,
                                 const std::string& value) {
  Record& known = records_[read.what];
  known.seen = version;
  known.outdated = false;
  const std::string name = "record " + std::to_string(read.what);
  if (!crash_only_ || !read.judged || known.lost) return;
  if (version < read.version_before) {
    complain_("versions-ascend", name + " was read at version " + std::to_string(version) +
                                     " after version " + std::to_string(read.version_before) +
                                     " had been acknowledged");
  }
  const auto acknowledged = known.values.find(version);
  if (acknowledged != known.values.end() && acknowledged->second != value) {
    complain_("right-record", name + " was read at version " + std::to_string(version) + " as '" +
                                  value + "', acknowledged was '" + acknowledged->second + "'");
  }
}

void FileLedger::record_missing(std::size_t record) {
  Record& known = records_[record];
  known.outdated = false;
  // Whoever began the record anew would contradict what was acknowledged.
  if (known.lost || known.acknowledged == 0) known.seen = 0;
}

// --- Deaths and the end ---

void FileLedger::holder_died(Time now, std::size_t promise, std::size_t live) {
  Promise& kept = promises_[promise];
  if (kept.over) return;
  kept.survival.death(now, live);
  if (live == 1) judge_loss(kept);
}

void FileLedger::judge_loss(Promise& promise) {
  if (std::exchange(promise.over, true)) return;
  if (!promise.survival.may_be_gone()) {
    complain_(promise.what == What::part ? "never-lost" : "never-forgotten",
              "no live node has " + describe(promise) + ", and only " +
                  std::to_string(promise.survival.deaths()) +
                  " that had it died since there were enough copies");
  }
  if (promise.what == What::removal) files_[promise.index].removed = false;
  if (promise.what == What::update) records_[promise.index].lost = true;
}

void FileLedger::record_is(Time now, std::size_t record, std::uint64_t version,
                           const std::string& value, std::size_t live) {
  Record& known = records_[record];
  known.lost = version == 0;
  known.acknowledged = version;
  known.values.clear();
  if (version == 0) return;
  known.values.emplace(version, value);
  promise(now, What::update, record, known.name, live, live);
}

void FileLedger::check_copies(const std::string& what, const Copies& copies) {
  if (copies.said < copies.least) {
    complain_("durable-copies", what + " was acknowledged with " + std::to_string(copies.said) +
                                    " copies of " + std::to_string(copies.least));
  }
  if (copies.stores < copies.said) {
    complain_("durable-copies", what + ", acknowledged with " + std::to_string(copies.said) +
                                    " copies, is in " + std::to_string(copies.stores) + " stores");
  }
}

void FileLedger::promise(Time now, What what, std::size_t index, const StoreName& name,
                         std::size_t wanted, std::size_t live) {
  for (Promise& promise : promises_) {
    if (what == What::update && promise.what == what && promise.index == index) promise.over = true;
  }
  promises_.push_back({what, index, name, Survival(now, patience_, wanted, live), false});
  if (live == 0) judge_loss(promises_.back());
}

std::string FileLedger::describe(const Promise& promise) const {
  const std::string number = std::to_string(promise.index);
  switch (promise.what) {
    case What::part:
      return "entry " + promise.name.hex() + " of file " + number;
    case What::removal:
      return "the removal of file " + number;
    case What::update:
      break;
  }
  return "version " + std::to_string(records_[promise.index].acknowledged) + " of record " + number;
}

}  // namespace pastry::cli
