// The data directory: one process at a time, nothing half-done left behind.
#include <doctest/doctest.h>

#include <fstream>

#include "apps/service/data_dir.h"
#include "tests/apps/scratch.h"

using namespace pastry;
using pastry::service::DataDir;
namespace fs = std::filesystem;

TEST_CASE("a directory that was made goes away if the start fails") {
  const Scratch scratch;
  const fs::path path = scratch.path() / "a" / "b";
  {
    const auto data = DataDir::open(path);
    REQUIRE(data);
    std::ofstream(path / "nodes.json") << "half";
  }
  CHECK_FALSE(fs::exists(scratch.path() / "a"));
  {
    const auto data = DataDir::open(path);
    REQUIRE(data);
    (*data)->keep();
  }
  CHECK(fs::exists(path));
}

TEST_CASE("a start that fails leaves alone what others made beside it since") {
  const Scratch scratch;
  const fs::path ring = scratch.path() / "rings" / "ring";
  {
    const auto fails = DataDir::open(ring / "0");
    REQUIRE(fails);
    const auto other = DataDir::open(ring / "1");
    REQUIRE(other);
    (*other)->keep();
    std::ofstream(ring / "1" / "store") << "acknowledged";
  }
  CHECK_FALSE(fs::exists(ring / "0"));
  CHECK(fs::exists(ring / "1" / "store"));
}

TEST_CASE("an empty directory is left empty, a full one is left alone") {
  const Scratch scratch;
  const fs::path empty = scratch.path() / "empty";
  const fs::path full = scratch.path() / "full";
  fs::create_directories(empty);
  fs::create_directories(full);
  std::ofstream(full / "mine") << "x";
  { CHECK(DataDir::open(empty)); }
  { CHECK(DataDir::open(full)); }
  CHECK(fs::is_empty(empty));
  CHECK(fs::exists(full / "mine"));
  CHECK_FALSE(fs::exists(full / "lock"));
}

TEST_CASE("a directory in use is a conflict and stays") {
  const Scratch scratch;
  const fs::path path = scratch.path() / "d";
  const auto first = DataDir::open(path);
  REQUIRE(first);
  const auto second = DataDir::open(path);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::conflict);
  CHECK(fs::exists(path / "lock"));
}

TEST_CASE("the lock of an earlier life stays, under the name it was given") {
  const Scratch scratch;
  const fs::path path = scratch.path() / "d";
  {
    const auto data = DataDir::open(path, "ring.lock");
    REQUIRE(data);
    (*data)->keep();
  }
  { CHECK(DataDir::open(path, "ring.lock")); }
  CHECK(fs::exists(path / "ring.lock"));
}

TEST_CASE("a file in the way is an error") {
  const Scratch scratch;
  std::ofstream(scratch.path() / "file") << "";
  CHECK(DataDir::open(scratch.path() / "file").error().code == ErrorCode::failed);
  CHECK(DataDir::open(scratch.path() / "file" / "below").error().code == ErrorCode::failed);
  CHECK(fs::exists(scratch.path() / "file"));
}
