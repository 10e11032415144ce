// The rules on files and records, fed directly: each can be broken, and what is right breaks none.
#include <doctest/doctest.h>

#include "apps/sim/services/file_ledger.h"

namespace pastry::cli {

namespace {

struct Fixture {
  std::vector<std::string> broken;
  FileLedger ledger{
      true, [this](std::string rule, const std::string&) { broken.push_back(std::move(rule)); }};
};

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
  ledger.removed(file);
  ledger.end_read(before, Bytes{1});
  CHECK(broken.empty());
  const FileLedger::Read after = ledger.begin_read(file);
  ledger.end_read(after, Bytes{1});
  CHECK(broken == std::vector<std::string>{"removed-stays"});
  // Those that knew of it are all dead.
  ledger.removal_forgotten(file);
  ledger.end_read(after, Bytes{1});
  CHECK(broken.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "versions of a record ascend, and each has one value") {
  const std::size_t record = ledger.add_record(id_of(9), 3);
  ledger.updated(record, 1, "a");
  const FileLedger::Read early = ledger.begin_record_read(record);
  ledger.updated(record, 2, "b");
  ledger.end_record_read(early, 1, "a");
  ledger.end_record_read(early, 2, "b");
  // Written, but its writer did not hear of it.
  ledger.end_record_read(early, 3, "c");
  CHECK(broken.empty());
  ledger.end_record_read(ledger.begin_record_read(record), 1, "a");
  ledger.end_record_read(ledger.begin_record_read(record), 2, "x");
  ledger.updated(record, 2, "y");
  CHECK(broken == std::vector<std::string>{"versions-ascend", "right-record", "one-writer"});
}

TEST_CASE_FIXTURE(Fixture, "rules that need one ring, or a survivor, are given up without") {
  const std::size_t record = ledger.add_record(id_of(9), 1);
  ledger.updated(record, 5, "a");
  ledger.record_lost(record);
  ledger.updated(record, 1, "b");
  ledger.end_record_read(ledger.begin_record_read(record), 1, "old");
  CHECK(broken.empty());
  const std::size_t file = ledger.add_file({1}, 1);
  ledger.stored(file, id_of(7));
  ledger.removed(file);
  ledger.excuse();
  ledger.end_read(ledger.begin_read(file), Bytes{1});
  CHECK(broken.empty());
  ledger.end_read(ledger.begin_read(file), Bytes{2});
  CHECK(broken == std::vector<std::string>{"right-file"});
}

}  // namespace pastry::cli
