#include "pastry/core/directory.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "tests/core/perfect_ring.h"

using namespace pastry;
using namespace pastry::test;

TEST_CASE("directory: exactly the same peer is the same handle, anything else another") {
  Directory directory;
  PeerInfo info = peer(Id(1, 2), 5, 7, "rack");
  info.host.addresses = {"tcp://127.0.0.1:1", "tcp://[::1]:1"};
  info.signature = {1, 2, 3};
  const Handle first = directory.intern(info);
  CHECK(directory.intern(info) == first);
  CHECK(directory.info(first) == info);
  CHECK(directory.size() == 1);

  std::set<Handle> handles{first};
  const auto differs = [&](auto change) {
    PeerInfo other = info;
    change(other);
    const Handle handle = directory.intern(other);
    CHECK(handles.insert(handle).second);
    CHECK(directory.info(handle) == other);
  };
  differs([](PeerInfo& p) { p.id = Id(1, 3); });
  differs([](PeerInfo& p) { p.incarnation = 6; });
  differs([](PeerInfo& p) { p.signature = {1, 2, 4}; });
  differs([](PeerInfo& p) { p.signature.clear(); });
  differs([](PeerInfo& p) { p.host.domain = "other"; });
  differs([](PeerInfo& p) { p.host.location = proximity::Location({1, 2}); });
  differs([](PeerInfo& p) { p.host.addresses.pop_back(); });
  differs([](PeerInfo& p) { std::swap(p.host.addresses[0], p.host.addresses[1]); });
  differs([](PeerInfo& p) { p.host.transport_key.bytes[31] = 1; });
  CHECK(directory.info(first) == info);
}

TEST_CASE("directory: find gives the newest incarnation") {
  Directory directory;
  CHECK(directory.find(Id(1, 1)) == kNoHandle);
  directory.intern(peer(Id(1, 1), 4));
  const Handle newest = directory.intern(peer(Id(1, 1), 9));
  directory.intern(peer(Id(1, 1), 2));
  directory.intern(peer(Id(1, 2), 99));
  CHECK(directory.find(Id(1, 1)) == newest);
}

TEST_CASE("directory: same domain means an equal label or the same process") {
  Directory directory;
  const Handle a = directory.intern(peer(Id(0, 1), 1, 1, "rack"));
  const Handle b = directory.intern(peer(Id(0, 2), 1, 2, "rack"));
  const Handle c = directory.intern(peer(Id(0, 3), 1, 3));
  const Handle d = directory.intern(peer(Id(0, 4), 1, 4));
  const Handle e = directory.intern(peer(Id(0, 5), 1, 3));
  CHECK(directory.same_domain(a, b));
  CHECK(directory.same_domain(c, e));
  CHECK_FALSE(directory.same_domain(c, d));
  CHECK_FALSE(directory.same_domain(a, c));
  CHECK(directory.same_domain(c, c));
}

TEST_CASE("directory: is bounded, and goes on when something was forgotten") {
  Directory directory(3);
  const Handle a = directory.intern(peer(Id(0, 1), 1, 1));
  const Handle b = directory.intern(peer(Id(0, 2), 1, 2));
  const Handle c = directory.intern(peer(Id(0, 3), 1, 3));
  CHECK(directory.intern(peer(Id(0, 4), 1, 4)) == kNoHandle);
  CHECK(directory.intern(peer(Id(0, 4), 1, 3)) == kNoHandle);
  CHECK(directory.intern_host(peer(Id(), 1, 99).host) == kNoHost);
  CHECK(directory.intern(peer(Id(0, 2), 1, 2)) == b);

  directory.begin_collection();
  directory.mark(a);
  directory.mark(c);
  directory.mark(kNoHandle);
  CHECK(directory.end_collection() == 1);
  CHECK(directory.size() == 2);
  CHECK_FALSE(directory.valid(b));
  CHECK(directory.find(Id(0, 2)) == kNoHandle);
  const Handle d = directory.intern(peer(Id(0, 4), 1, 4));
  CHECK(directory.valid(d));
  CHECK(directory.info(d) == peer(Id(0, 4), 1, 4));
  CHECK(directory.info(a) == peer(Id(0, 1), 1, 1));
  CHECK(directory.info(c) == peer(Id(0, 3), 1, 3));
}

TEST_CASE("directory: what is interned during a collection survives it") {
  Directory directory;
  const Handle known = directory.intern(peer(Id(0, 1)));
  directory.begin_collection();
  const Handle fresh = directory.intern(peer(Id(0, 2)));
  CHECK(directory.intern(peer(Id(0, 1))) == known);
  CHECK(directory.end_collection() == 0);
  CHECK(directory.valid(known));
  CHECK(directory.valid(fresh));
}

TEST_CASE("directory: references to host descriptions stay valid while others come") {
  Directory directory;
  const Handle first = directory.intern(peer(Id(0, 1), 1, 0, "first"));
  const HostInfo& host = directory.host(first);
  for (std::uint32_t i = 1; i < 5000; ++i) directory.intern(peer(Id(0, i + 1), 1, i));
  CHECK(host.domain == "first");
  CHECK(&host == &directory.host(first));
}

namespace {

// What a directory does, as a map that knows everything.
class DirectoryModel {
 public:
  void intern(Directory& directory, const PeerInfo& info) {
    const Handle handle = directory.intern(info);
    const auto known = std::find_if(peers_.begin(), peers_.end(),
                                    [&](const auto& entry) { return entry.second == info; });
    if (known != peers_.end()) {
      CHECK(handle == known->first);
    } else {
      CHECK(peers_.emplace(handle, info).second);
    }
  }

  void collect(Directory& directory, Random& random) {
    directory.begin_collection();
    const std::size_t before = peers_.size();
    for (auto entry = peers_.begin(); entry != peers_.end();) {
      if (random.below(2) == 0) {
        directory.mark(entry->first);
        ++entry;
      } else {
        entry = peers_.erase(entry);
      }
    }
    CHECK(directory.end_collection() == before - peers_.size());
  }

  void check(const Directory& directory, const NodeId& asked) const {
    CHECK(directory.size() == peers_.size());
    std::uint64_t newest = 0;
    for (const auto& [handle, info] : peers_) {
      REQUIRE(directory.valid(handle));
      CHECK(directory.info(handle) == info);
      if (info.id == asked) newest = std::max(newest, info.incarnation);
    }
    const Handle found = directory.find(asked);
    CHECK((found == kNoHandle) == (newest == 0));
    if (found != kNoHandle) {
      CHECK(directory.id(found) == asked);
      CHECK(directory.incarnation(found) == newest);
    }
  }

 private:
  std::map<Handle, PeerInfo> peers_;
};

}  // namespace

TEST_CASE("directory: long random sequences against a model") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Directory directory;
    DirectoryModel model;
    for (int step = 0; step < 600; ++step) {
      PeerInfo info =
          peer(Id(0, random.below(20)), 1 + random.below(3),
               static_cast<std::uint32_t>(random.below(6)), random.below(4) == 0 ? "rack" : "");
      if (random.below(3) == 0) info.signature = {static_cast<std::uint8_t>(random.below(2))};
      model.intern(directory, info);
      if (random.below(40) == 0) model.collect(directory, random);
      if (step % 20 == 0) model.check(directory, Id(0, random.below(20)));
    }
  }
}
