// What fuzzed nodes do with files and records, and what must be true of them [PAST §2; faults.md].
//
// Beside the rules on answers and copies (file_ledger.h):
// Always:
//  answered-once    an operation is answered once, if its node lives
// Once the ring is right, within the time for rest:
//  every operation is answered, and every entry of which a live node has a copy is on exactly the k
//  nodes closest to its key, the same on each; what is removed is on none. Then everything is read:
//  file-readable    every file that is whole
//  record-readable  every record of which a live node has a copy
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/sim/services/file_ledger.h"
#include "past/past.h"
#include "pastry/core/hash.h"
#include "pastry/core/random.h"
#include "pastry/replica/replica.h"
#include "pastry/sim/fuzz/guests.h"
#include "pastry/sim/fuzz/watcher.h"
#include "pastry/sim/simulator.h"

namespace pastry::cli {

class FileWork {
 public:
  // All must outlive this; `crash_only`: no live node can look dead.
  FileWork(sim::Simulator& simulator, sim::fuzz::Watcher& watcher, const Hash& hash,
           bool crash_only);

  // The node starts with these, which live until gone().
  void started(sim::NodeIndex node, replica::Replica& replica, past::Past& past);
  // One operation of a node that is up.
  void work(sim::NodeIndex node, Random& random);
  void gone(sim::NodeIndex node);
  // Two rings may exist from now on.
  void excuse();
  // The ring is right and stays so.
  void examine();
  // What guests.h says of these.
  void proceed() { missing_ = next_missing(); }
  const std::string& unrest() const { return missing_; }
  void count(sim::fuzz::GuestFigures& figures) const;

 private:
  struct Site {
    replica::Replica* replica = nullptr;
    past::Past* past = nullptr;
    // Operations without an answer, and the fewest nodes of one ring that were active meanwhile.
    std::map<std::uint64_t, std::size_t> open;
  };
  using Good = std::function<bool(const replica::EntryInfo&)>;

  void put(sim::NodeIndex node, Random& random);
  void get(sim::NodeIndex node, std::size_t file, bool must_succeed);
  void remove(sim::NodeIndex node, std::size_t file);
  void update(sim::NodeIndex node, Random& random);
  void updated(std::size_t record, const replica::RecordResult& result, const std::string& value);
  void read(sim::NodeIndex node, std::size_t record, bool must_succeed);
  std::optional<std::size_t> some_file(Random& random) const;

  std::uint64_t begin(sim::NodeIndex node);
  std::size_t end(sim::NodeIndex node, std::uint64_t operation);
  std::vector<StoreName> parts(const FileLedger::File& file) const;
  bool live_copy(const StoreName& name) const;
  bool has(sim::NodeIndex node, const FileLedger::Promise& promise) const;
  std::size_t live_with(const FileLedger::Promise& promise) const;
  FileLedger::Copies copies(const StoreName& name, int said, std::size_t least,
                            const Good& good) const;
  void check_stored(std::size_t file, int said);
  void check_lost();
  std::string misplaced(const StoreName& name, int wanted) const;
  std::string misplaced() const;
  void read_all();
  std::string next_missing();

  sim::Simulator& simulator_;
  sim::fuzz::Watcher& watcher_;
  const Hash& hash_;
  FileLedger ledger_;
  std::map<sim::NodeIndex, Site> sites_;
  std::uint64_t last_operation_ = 0;
  bool reads_begun_ = false;
  std::string missing_ = "files were not looked at";
  std::map<std::string, std::uint64_t> figures_;
};

}  // namespace pastry::cli
