#include "apps/sim/services/file_work.h"

#include <algorithm>
#include <set>
#include <utility>

#include "apps/sim/services/file_shape.h"
#include "apps/sim/services/store_view.h"

namespace pastry::cli {

namespace {

constexpr ApplicationId kClient = application_id("sim.files");
constexpr std::size_t kFilesMax = 30;
constexpr std::size_t kRecordsMax = 3;
constexpr int kCopiesMax = 4;
// A comparison ends, and with it what a node does on its word, within this and the time in which
// deaths are noticed.
constexpr Duration kGivingAway = seconds(20);

Bytes random_bytes(Random& random, std::size_t size) {
  Bytes bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
  return bytes;
}

StoreName random_name(Random& random) {
  StoreName name;
  for (std::uint8_t& byte : name.bytes) byte = static_cast<std::uint8_t>(random.next());
  return name;
}

std::string text_of(const Payload& payload) {
  return {payload.view().begin(), payload.view().end()};
}

}  // namespace

FileWork::FileWork(sim::Simulator& simulator, sim::fuzz::Watcher& watcher, const Hash& hash,
                   bool crash_only)
    : simulator_(simulator),
      watcher_(watcher),
      hash_(hash),
      ledger_(crash_only, simulator.config().heartbeat_period * 4 + kGivingAway,
              [this](std::string rule, std::string what) {
                watcher_.fail(std::move(rule), std::move(what));
              }) {}

void FileWork::started(sim::NodeIndex node, replica::Replica& replica, past::Past& past) {
  sites_[node] = {&replica, &past, {}};
}

void FileWork::gone(sim::NodeIndex node) {
  for (std::size_t i = 0; i < ledger_.promises().size(); ++i) {
    const FileLedger::Promise& promise = ledger_.promises()[i];
    if (promise.over || !has(node, promise)) continue;
    ledger_.holder_died(simulator_.now(), i, live_with(promise));
  }
  sites_.erase(node);
  for (auto& [other, site] : sites_) {
    for (auto& [operation, fewest] : site.open) {
      fewest = std::min(fewest, simulator_.active_nodes().size());
    }
  }
}

void FileWork::excuse() {
  ledger_.excuse();
  for (auto& [node, site] : sites_) {
    for (auto& [operation, fewest] : site.open) fewest = std::min<std::size_t>(fewest, 1);
  }
}

// --- Operations ----------------------------------------------------------------------------------

std::uint64_t FileWork::begin(sim::NodeIndex node) {
  const std::size_t fewest = ledger_.one_ring() ? simulator_.active_nodes().size() : 1;
  sites_[node].open.emplace(++last_operation_, fewest);
  return last_operation_;
}

std::size_t FileWork::end(sim::NodeIndex node, std::uint64_t operation) {
  const auto site = sites_.find(node);
  if (site != sites_.end()) {
    const auto open = site->second.open.find(operation);
    if (open != site->second.open.end()) {
      const std::size_t fewest = open->second;
      site->second.open.erase(open);
      return fewest;
    }
  }
  watcher_.fail("answered-once", "an operation on files at " + watcher_.who(node) +
                                     " was answered again, or after its node was gone");
  return 0;
}

void FileWork::work(sim::NodeIndex node, Random& random) {
  const std::optional<std::size_t> file = some_file(random);
  const std::uint64_t choice = random.below(10);
  if (choice < 3 && ledger_.files().size() < kFilesMax) {
    put(node, random);
  } else if (choice < 6 && file) {
    get(node, *file, false);
  } else if (choice < 7 && file) {
    remove(node, *file);
  } else if (choice < 9) {
    update(node, random);
  } else if (!ledger_.records().empty()) {
    read(node, random.below(ledger_.records().size()), false);
  }
}

std::optional<std::size_t> FileWork::some_file(Random& random) const {
  std::vector<std::size_t> stored;
  for (std::size_t i = 0; i < ledger_.files().size(); ++i) {
    if (ledger_.files()[i].stored) stored.push_back(i);
  }
  const std::uint64_t drawn = random.next();
  if (stored.empty()) return std::nullopt;
  return stored[drawn % stored.size()];
}

void FileWork::put(sim::NodeIndex node, Random& random) {
  const std::size_t size =
      random.below(4) == 0 ? kBlockBytes * random.below(4) : random.below(kFileBytesMax + 1);
  const int most = std::min(kCopiesMax, simulator_.config().replicas_max());
  past::NewFile wanted;
  wanted.name = "file " + std::to_string(ledger_.files().size());
  wanted.owner = {1, 2, 3};
  wanted.k = 1 + static_cast<int>(random.below(static_cast<std::uint64_t>(most)));
  const std::size_t file = ledger_.add_file(random_bytes(random, size), wanted.k);
  const Payload content = Payload(Bytes(ledger_.files()[file].content));
  past::Past& past = *sites_[node].past;
  const std::uint64_t operation = begin(node);
  past::PutEvents events;
  events.done = [this, node, operation, file](Context, const Result<past::PutResult>& result) {
    end(node, operation);
    if (!result) return;
    ++figures_["files_stored"];
    ledger_.stored(file, result->file_id);
    check_stored(file, result->copies);
  };
  simulator_.run(node, kClient, [&](Context context) {
    const auto id = past.begin_put(context, wanted, events);
    if (!id) return void(end(node, operation));
    // The window is as large as the largest file.
    for (std::size_t at = 0; at < size; at += kBlockBytes) {
      (void)past.write(context, *id, content.part(at, std::min(kBlockBytes, size - at)));
    }
    (void)past.finish(context, *id);
  });
}

void FileWork::get(sim::NodeIndex node, std::size_t file, bool must_succeed) {
  const FileLedger::Read read = ledger_.begin_read(file);
  past::Past& past = *sites_[node].past;
  const std::uint64_t operation = begin(node);
  auto bytes = std::make_shared<Bytes>();
  auto id = std::make_shared<past::ReadId>(0);
  const auto finish = [this, node, operation, read, must_succeed](const Result<Bytes>& answer) {
    end(node, operation);
    figures_[answer ? "files_read" : "reads_failed"] += 1;
    ledger_.end_read(read, answer);
    if (answer || !must_succeed) return;
    watcher_.fail("file-readable", "file " + std::to_string(read.what) +
                                       " is whole, in a ring that is right, and was not read: " +
                                       answer.error().message);
  };
  const auto opened = [&past, bytes, id, finish](Context context,
                                                 const Result<past::FileInfo>& info) {
    if (!info) return finish(tl::unexpected(info.error()));
    past::ReadEvents events;
    events.block = [&past, bytes, id](Context at, const Payload& block) {
      bytes->insert(bytes->end(), block.view().begin(), block.view().end());
      past.consumed(at, *id);
    };
    events.done = [bytes, finish](Context, const Result<void>& result) {
      result ? finish(*bytes) : finish(tl::unexpected(result.error()));
    };
    const auto begun = past.read(context, *info, {}, events);
    begun ? void(*id = *begun) : finish(tl::unexpected(begun.error()));
  };
  simulator_.run(node, kClient,
                 [&](Context context) { past.open(context, ledger_.files()[file].id, opened); });
}

void FileWork::remove(sim::NodeIndex node, std::size_t file) {
  ledger_.remove_begun(file);
  const std::uint64_t operation = begin(node);
  const auto done = [this, node, operation, file](Context, const Result<past::PutResult>& result) {
    const std::size_t fewest = end(node, operation);
    if (!result) return;
    ++figures_["files_removed"];
    const FileLedger::File& removed = ledger_.files()[file];
    const auto least = std::min(fewest, static_cast<std::size_t>(removed.wanted));
    const auto good = [](const replica::EntryInfo& entry) { return entry.meta.tombstone; };
    ledger_.removed(simulator_.now(), file, copies(removed.id, result->copies, least, good));
  };
  simulator_.run(node, kClient, [&](Context context) {
    sites_[node].past->remove(context, ledger_.files()[file].id, done);
  });
}

void FileWork::update(sim::NodeIndex node, Random& random) {
  if (ledger_.records().size() < kRecordsMax) {
    const int most = std::min(kCopiesMax, simulator_.config().replicas_max());
    ledger_.add_record(random_name(random),
                       1 + static_cast<int>(random.below(static_cast<std::uint64_t>(most))));
  }
  const std::size_t index = random.below(ledger_.records().size());
  const FileLedger::Record& record = ledger_.records()[index];
  if (record.outdated) return read(node, index, false);
  const std::uint64_t operation = begin(node);
  const std::string value = "update " + std::to_string(operation);
  const auto done = [this, node, operation, index, value](
                        Context, const Result<replica::RecordResult>& result) {
    end(node, operation);
    if (result) {
      updated(index, *result, value);
    } else if (result.error().code == ErrorCode::conflict) {
      ++figures_["record_conflicts"];
      ledger_.conflicted(index);
    }
  };
  simulator_.run(node, kClient, [&](Context context) {
    sites_[node].replica->update_record(context, record.name, record.seen,
                                        Bytes(value.begin(), value.end()), {record.wanted, 0, {}},
                                        done);
  });
}

void FileWork::updated(std::size_t index, const replica::RecordResult& result,
                       const std::string& value) {
  ++figures_["records_updated"];
  const FileLedger::Record& record = ledger_.records()[index];
  const auto good = [&](const replica::EntryInfo& entry) {
    return entry.version >= result.version;
  };
  ledger_.updated(
      simulator_.now(), index, result.version, value,
      copies(record.name, result.copies, static_cast<std::size_t>(record.wanted), good));
}

void FileWork::read(sim::NodeIndex node, std::size_t record, bool must_succeed) {
  const FileLedger::Read read = ledger_.begin_record_read(record);
  const std::uint64_t operation = begin(node);
  const auto done = [this, node, operation, read, must_succeed](
                        Context, const Result<replica::Record>& result) {
    end(node, operation);
    if (result) {
      ++figures_["records_read"];
      return ledger_.end_record_read(read, result->version, text_of(result->value));
    }
    if (result.error().code == ErrorCode::not_found) ledger_.record_missing(read.what);
    if (!must_succeed) return;
    watcher_.fail("record-readable", "record " + std::to_string(read.what) +
                                         " is held, in a ring that is right, and was not read: " +
                                         result.error().message);
  };
  simulator_.run(node, kClient, [&](Context context) {
    sites_[node].replica->read_record(context, ledger_.records()[record].name, done);
  });
}

// --- What the stores hold ------------------------------------------------------------------------

std::vector<StoreName> FileWork::parts(const FileLedger::File& file) const {
  return file_parts(hash_, file.id, file.content.size());
}

bool FileWork::live_copy(const StoreName& name) const {
  return std::any_of(sites_.begin(), sites_.end(), [&](const auto& site) {
    const auto entry = held(simulator_, site.first, name);
    return entry && !entry->meta.tombstone;
  });
}

bool FileWork::has(sim::NodeIndex node, const FileLedger::Promise& promise) const {
  const auto entry = held(simulator_, node, promise.name);
  if (!entry) return false;
  switch (promise.what) {
    case FileLedger::What::part:
      return !entry->meta.tombstone;
    case FileLedger::What::removal:
      return entry->meta.tombstone;
    case FileLedger::What::update:
      break;
  }
  return entry->version >= ledger_.records()[promise.index].acknowledged;
}

std::size_t FileWork::live_with(const FileLedger::Promise& promise) const {
  return static_cast<std::size_t>(std::count_if(
      sites_.begin(), sites_.end(), [&](const auto& site) { return has(site.first, promise); }));
}

FileLedger::Copies FileWork::copies(const StoreName& name, int said, std::size_t least,
                                    const Good& good) const {
  FileLedger::Copies copies{static_cast<std::size_t>(said), least, 0, 0};
  for (std::uint32_t i = 0; i < simulator_.size(); ++i) {
    const sim::NodeIndex node{i};
    const auto entry = held(simulator_, node, name);
    if (!entry || !good(*entry)) continue;
    ++copies.stores;
    copies.live += sites_.count(node);
  }
  return copies;
}

void FileWork::check_stored(std::size_t file, int said) {
  const auto least = static_cast<std::size_t>(ledger_.files()[file].wanted);
  const auto good = [](const replica::EntryInfo& entry) { return !entry.meta.tombstone; };
  for (const StoreName& part : parts(ledger_.files()[file])) {
    ledger_.part_stored(simulator_.now(), file, part, copies(part, said, least, good));
  }
}

void FileWork::check_lost() {
  for (std::size_t i = 0; i < ledger_.promises().size(); ++i) {
    const FileLedger::Promise& promise = ledger_.promises()[i];
    if (!promise.over && live_with(promise) == 0) ledger_.nobody_has(i);
  }
}

// --- The end -------------------------------------------------------------------------------------

// Records are from now on what the nodes that live have of them, whatever happened before.
void FileWork::examine() {
  ledger_.demand_all();
  for (std::size_t i = 0; i < ledger_.records().size(); ++i) {
    const StoreName name = ledger_.records()[i].name;
    std::optional<replica::EntryInfo> newest;
    std::string value;
    for (const auto& [node, site] : sites_) {
      const auto entry = held(simulator_, node, name);
      if (!entry || (newest && !replica::supersedes(*entry, *newest))) continue;
      newest = entry;
      value = text_of(held_value(simulator_, node, name));
    }
    const auto live = std::count_if(sites_.begin(), sites_.end(), [&](const auto& site) {
      const auto entry = held(simulator_, site.first, name);
      return entry && entry->version == newest->version;
    });
    ledger_.record_is(simulator_.now(), i, newest ? newest->version : 0, value,
                      static_cast<std::size_t>(live));
  }
}

// Empty if the entry is where it has to be.
std::string FileWork::misplaced(const StoreName& name, int wanted) const {
  const std::vector<sim::NodeIndex> set =
      closest_active(simulator_, name.key(), static_cast<std::size_t>(wanted));
  std::vector<sim::NodeIndex> holders;
  std::set<std::uint64_t> fingerprints;
  bool tombstone = false;
  for (const auto& [id, node] : simulator_.active_nodes()) {
    const auto entry = held(simulator_, node, name);
    if (!entry) continue;
    tombstone |= entry->meta.tombstone;
    if (entry->meta.tombstone) continue;
    holders.push_back(node);
    fingerprints.insert(replica::fingerprint(*entry));
  }
  std::sort(holders.begin(), holders.end());
  if (holders.empty()) return {};  // lost by right (check_lost()), or removed
  if (!tombstone && holders == set && fingerprints.size() == 1) return {};
  std::string text = "\n  entry " + name.hex() + " is on";
  for (const sim::NodeIndex node : holders) text += " n" + std::to_string(index(node));
  text += ", should be on";
  for (const sim::NodeIndex node : set) text += " n" + std::to_string(index(node));
  if (tombstone) text += ", is removed elsewhere";
  if (fingerprints.size() > 1) text += ", not the same on each";
  return text;
}

std::string FileWork::misplaced() const {
  std::string text;
  for (const FileLedger::File& file : ledger_.files()) {
    if (!file.stored) continue;
    for (const StoreName& part : parts(file)) text += misplaced(part, file.wanted);
  }
  for (const FileLedger::Record& record : ledger_.records()) {
    text += misplaced(record.name, record.wanted);
  }
  return text;
}

void FileWork::read_all() {
  const auto& active = simulator_.active_nodes();
  if (active.empty()) return;
  // Operations may find the lists full that the plan made tiny.
  const bool roomy = simulator_.config().unacknowledged_max >= Config().unacknowledged_max;
  auto reader = active.begin();
  for (std::size_t i = 0; i < ledger_.files().size(); ++i) {
    const FileLedger::File& file = ledger_.files()[i];
    if (!file.stored) continue;
    const std::vector<StoreName> entries = parts(file);
    const bool whole = !file.remove_begun &&
                       std::all_of(entries.begin(), entries.end(),
                                   [this](const StoreName& name) { return live_copy(name); });
    get(reader->second, i, whole && roomy);
    if (++reader == active.end()) reader = active.begin();
  }
  for (std::size_t i = 0; i < ledger_.records().size(); ++i) {
    read(reader->second, i, live_copy(ledger_.records()[i].name) && roomy);
    if (++reader == active.end()) reader = active.begin();
  }
}

std::string FileWork::next_missing() {
  check_lost();
  std::size_t open = 0;
  for (const auto& [node, site] : sites_) open += site.open.size();
  if (open > 0) return "\n  " + std::to_string(open) + " operations on files have no answer";
  if (std::string text = misplaced(); !text.empty()) return text;
  if (std::exchange(reads_begun_, true)) return {};
  read_all();
  return "\n  files and records are being read";
}

void FileWork::count(sim::fuzz::GuestFigures& figures) const {
  for (const auto& [what, often] : figures_) figures[what] += often;
}

}  // namespace pastry::cli
