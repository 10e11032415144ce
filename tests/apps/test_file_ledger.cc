// The rules on files and records, fed directly: each can be broken, and what is right breaks none.
#include <doctest/doctest.h>

#include "apps/sim/services/file_ledger.h"
#include "apps/sim/services/file_shape.h"
#include "pastry/identity/sha256.h"

namespace pastry::cli {

namespace {

struct Fixture {
  std::vector<std::string> broken;
  FileLedger ledger{true, seconds(10), [this](std::string rule, const std::string&) {
                      broken.push_back(std::move(rule));
                    }};
  Time now = Time{} + minutes(1);

  // Acknowledged with as many copies as wanted, all on nodes that run.
  void updated(std::size_t record, std::uint64_t version, const std::string& value) {
    ledger.updated(now, record, version, value, whole(ledger.records()[record].wanted));
  }
  std::size_t promised() const { return ledger.promises().size() - 1; }
  static FileLedger::Copies whole(int copies) {
    const auto count = static_cast<std::size_t>(copies);
    return {count, count, count, count};
  }
};

using Broken = std::vector<std::string>;

past::FileId id_of(std::uint8_t byte) {
  past::FileId id;
  id.bytes.fill(byte);
  return id;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a file is read as it was stored, or not at all") {
  const std::size_t file = ledger.add_file({1, 2, 3}, 3);
  ledger.stored(file, id_of(7));
  ledger.end_read(ledger.begin_read(file), Bytes{1, 2, 3});
  ledger.end_read(ledger.begin_read(file), fail(ErrorCode::unavailable, "nobody answers"));
  CHECK(broken.empty());
  ledger.end_read(ledger.begin_read(file), Bytes{1, 2, 4});
  ledger.end_read(ledger.begin_read(file), Bytes{1, 2});
  CHECK(broken == std::vector<std::string>{"right-file", "right-file"});
}

TEST_CASE_FIXTURE(Fixture, "what is removed stays removed for reads that begin afterwards") {
  const std::size_t file = ledger.add_file({1}, 3);
  ledger.stored(file, id_of(7));
  ledger.remove_begun(file);
  const FileLedger::Read before = ledger.begin_read(file);
  ledger.removed(now, file, whole(3));
  ledger.end_read(before, Bytes{1});
  CHECK(broken.empty());
  const FileLedger::Read after = ledger.begin_read(file);
  ledger.end_read(after, Bytes{1});
  CHECK(broken == std::vector<std::string>{"removed-stays"});
  // Those that knew of it are all dead.
  for (const std::size_t live : {3, 2, 1}) ledger.holder_died(now, promised(), live);
  ledger.end_read(after, Bytes{1});
  CHECK(broken.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "versions of a record ascend, and each has one value") {
  const std::size_t record = ledger.add_record(id_of(9), 3);
  updated(record, 1, "a");
  const FileLedger::Read early = ledger.begin_record_read(record);
  updated(record, 2, "b");
  ledger.end_record_read(early, 1, "a");
  ledger.end_record_read(early, 2, "b");
  // Written, but its writer did not hear of it.
  ledger.end_record_read(early, 3, "c");
  CHECK(broken.empty());
  ledger.end_record_read(ledger.begin_record_read(record), 1, "a");
  ledger.end_record_read(ledger.begin_record_read(record), 2, "x");
  updated(record, 2, "y");
  CHECK(broken == std::vector<std::string>{"versions-ascend", "right-record", "one-writer"});
}

TEST_CASE_FIXTURE(Fixture, "rules that need one ring, or a survivor, are given up without") {
  const std::size_t record = ledger.add_record(id_of(9), 1);
  updated(record, 5, "a");
  ledger.holder_died(now, promised(), 1);
  updated(record, 1, "b");
  ledger.end_record_read(ledger.begin_record_read(record), 1, "old");
  CHECK(broken.empty());
  const std::size_t file = ledger.add_file({1}, 1);
  ledger.stored(file, id_of(7));
  ledger.removed(now, file, whole(1));
  ledger.excuse();
  ledger.end_read(ledger.begin_read(file), Bytes{1});
  CHECK(broken.empty());
  ledger.end_read(ledger.begin_read(file), Bytes{2});
  CHECK(broken == std::vector<std::string>{"right-file"});
}

TEST_CASE_FIXTURE(Fixture, "what is acknowledged has its copies, and has them in stores") {
  const std::size_t record = ledger.add_record(id_of(9), 3);
  ledger.updated(now, record, 1, "a", {3, 3, 3, 2});
  const std::size_t file = ledger.add_file({1}, 3);
  ledger.stored(file, id_of(7));
  ledger.part_stored(now, file, id_of(7), whole(3));
  // Fewer in a ring of two.
  ledger.removed(now, file, {2, 2, 2, 2});
  CHECK(broken.empty());
  ledger.updated(now, record, 2, "b", {2, 3, 3, 3});
  ledger.updated(now, record, 3, "c", {3, 3, 2, 2});
  ledger.removed(now, file, {1, 2, 2, 2});
  ledger.removed(now, file, {3, 3, 2, 2});
  ledger.part_stored(now, file, id_of(8), {3, 3, 2, 2});
  CHECK(broken == Broken(5, "durable-copies"));
}

TEST_CASE_FIXTURE(Fixture, "what was acknowledged with three copies is lost by three deaths only") {
  const std::size_t file = ledger.add_file({1}, 3);
  ledger.stored(file, id_of(7));
  ledger.part_stored(now, file, id_of(7), whole(3));
  ledger.holder_died(now, promised(), 3);
  ledger.holder_died(now, promised(), 2);
  ledger.nobody_has(promised());
  CHECK(broken == Broken{"never-lost"});
  // Said once.
  ledger.nobody_has(promised());
  CHECK(broken.size() == 1);

  ledger.part_stored(now, file, id_of(8), whole(3));
  for (const std::size_t live : {3, 2, 1}) ledger.holder_died(now, promised(), live);
  CHECK(ledger.promises().back().over);
  // Or by fewer, if some had died before it was acknowledged.
  ledger.part_stored(now, file, id_of(9), {3, 3, 3, 1});
  ledger.holder_died(now, promised(), 1);
  // Nobody has to keep what is being removed.
  ledger.part_stored(now, file, id_of(10), whole(3));
  ledger.remove_begun(file);
  ledger.nobody_has(promised());
  CHECK(broken.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "deaths count no more once there are three copies again") {
  const std::size_t file = ledger.add_file({1}, 3);
  ledger.stored(file, id_of(7));
  ledger.removed(now, file, whole(3));
  ledger.holder_died(now, promised(), 3);
  ledger.holder_died(now, promised(), 2);
  // Too soon: who gives a copy away may not know of the deaths.
  ledger.holder_died(now + seconds(5), promised(), 3);
  ledger.holder_died(now + seconds(6), promised(), 1);
  CHECK(broken.empty());
  CHECK_FALSE(ledger.files()[file].removed);

  const std::size_t record = ledger.add_record(id_of(9), 3);
  updated(record, 1, "a");
  ledger.holder_died(now, promised(), 3);
  ledger.holder_died(now, promised(), 2);
  ledger.holder_died(now + minutes(1), promised(), 3);
  ledger.holder_died(now + minutes(1), promised(), 1);
  CHECK(broken == Broken{"never-forgotten"});
  CHECK(ledger.records()[record].lost);
}

TEST_CASE_FIXTURE(Fixture, "once there is one ring for good all rules hold again") {
  const std::size_t file = ledger.add_file({1}, 1);
  ledger.stored(file, id_of(7));
  ledger.removed(now, file, whole(1));
  const std::size_t record = ledger.add_record(id_of(9), 1);
  updated(record, 5, "a");
  ledger.holder_died(now, promised(), 1);
  ledger.excuse();
  const FileLedger::Read early = ledger.begin_read(file);
  const FileLedger::Read early_record = ledger.begin_record_read(record);
  ledger.demand_all();
  ledger.record_is(now, record, 2, "b", 1);
  // What began when there were two rings, or none that knew.
  ledger.end_read(early, Bytes{1});
  ledger.end_record_read(early_record, 1, "x");
  CHECK(broken.empty());
  ledger.end_record_read(ledger.begin_record_read(record), 1, "a");
  ledger.end_record_read(ledger.begin_record_read(record), 2, "x");
  ledger.end_read(ledger.begin_read(file), Bytes{1});
  CHECK(broken == Broken{"versions-ascend", "right-record", "removed-stays"});
  // Nobody has any of it.
  ledger.record_is(now, record, 0, "", 0);
  ledger.end_record_read(ledger.begin_record_read(record), 1, "z");
  CHECK(broken.size() == 3);
}

TEST_CASE_FIXTURE(Fixture, "an update is based on what was seen last") {
  const std::size_t record = ledger.add_record(id_of(9), 3);
  const auto known = [&]() -> const FileLedger::Record& { return ledger.records()[record]; };
  CHECK(known().seen == 0);
  updated(record, 1, "a");
  CHECK(known().seen == 1);
  // Written, but its writer did not hear of it: the next update is refused, and a read tells.
  ledger.conflicted(record);
  CHECK(known().outdated);
  ledger.end_record_read(ledger.begin_record_read(record), 2, "b");
  CHECK(known().seen == 2);
  CHECK_FALSE(known().outdated);
  CHECK(known().acknowledged == 1);
  ledger.conflicted(record);
  ledger.record_missing(record);
  CHECK(known().seen == 2);
  CHECK_FALSE(known().outdated);
  ledger.record_is(now, record, 0, "", 0);
  ledger.record_missing(record);
  CHECK(known().seen == 0);
}

TEST_CASE("fuzzed files are one entry, or blocks and a list, or blocks and lists of lists") {
  const identity::Sha256 hash;
  CHECK(file_parts(hash, id_of(1), kBlockBytes).size() == 1);
  CHECK(file_parts(hash, id_of(1), kBlockBytes + 1).size() == 1 + 2);
  CHECK(file_parts(hash, id_of(1), kBlockBytes * 2 + 1).size() == 1 + 3 + 2);
  CHECK(file_parts(hash, id_of(1), kFileBytesMax).size() == 1 + 4 + 2);
}

}  // namespace pastry::cli
