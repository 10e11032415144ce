#include "apps/sim/services/file_ledger.h"

#include <utility>

namespace pastry::cli {

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

void FileLedger::end_read(const Read& read, const Result<Bytes>& answer) {
  if (!answer) return;
  const File& file = files_[read.what];
  const std::string name = "file " + std::to_string(read.what) + " (" + file.id.hex() + ")";
  if (*answer != file.content) {
    complain_("right-file", name + " was read with " + std::to_string(answer->size()) +
                                " bytes that are not the " + std::to_string(file.content.size()) +
                                " stored");
  }
  if (crash_only_ && read.removed_before && file.removed) {
    complain_("removed-stays", name + " was read after its removal was acknowledged");
  }
}

std::size_t FileLedger::add_record(const StoreName& name, int wanted) {
  records_.push_back({name, wanted, 0, false, {}});
  return records_.size() - 1;
}

void FileLedger::updated(std::size_t record, std::uint64_t version, const std::string& value) {
  Record& known = records_[record];
  const auto [same, first] = known.values.emplace(version, value);
  if (!first && same->second != value && crash_only_ && !known.lost) {
    complain_("one-writer", "record " + std::to_string(record) + " was acknowledged at version " +
                                std::to_string(version) + " as '" + same->second + "' and as '" +
                                value + "'");
  }
  same->second = value;
  known.acknowledged = std::max(known.acknowledged, version);
}

void FileLedger::end_record_read(const Read& read, std::uint64_t version,
                                 const std::string& value) {
  const Record& known = records_[read.what];
  const std::string name = "record " + std::to_string(read.what);
  if (!crash_only_ || known.lost) return;
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

}  // namespace pastry::cli
