// What every store engine promises, checked on each of them.
#include <doctest/doctest.h>

#include <map>
#include <memory>

#include "pastry/replica/lmdb_store.h"
#include "pastry/replica/memory_store.h"
#include "tests/store/store_fixture.h"

namespace store_test {
namespace {

struct MemoryEngine {
  static constexpr std::uint64_t kValueMax = 1U << 20;

  explicit MemoryEngine(std::uint64_t capacity_bytes = std::uint64_t{1} << 30)
      : store(quick_hash(), {capacity_bytes, kValueMax}) {}
  replica::MemoryStore store;
};

struct LmdbEngine {
  static constexpr std::uint64_t kValueMax = 1U << 20;

  explicit LmdbEngine(std::uint64_t capacity_bytes = std::uint64_t{1} << 30)
      : opened(open(directory.path(), capacity_bytes)), store(*opened) {}

  static std::unique_ptr<replica::LmdbStore> open(const std::filesystem::path& path,
                                                  std::uint64_t capacity_bytes) {
    replica::LmdbStoreOptions options;
    options.directory = path;
    options.capacity_bytes = capacity_bytes;
    options.value_max = kValueMax;
    auto result = replica::LmdbStore::open(quick_hash(), options);
    REQUIRE(result.has_value());
    return std::move(*result);
  }

  TemporaryDirectory directory;
  std::unique_ptr<replica::LmdbStore> opened;
  replica::LmdbStore& store;
};

#define EACH_ENGINE MemoryEngine, LmdbEngine

TEST_CASE_TEMPLATE("a put is read back, with version, meta data and digest", Engine, EACH_ENGINE) {
  Engine engine;
  for (const std::size_t size : {0UL, 1UL, 100UL, 2038UL, 4096UL, 16384UL, 65536UL, 1UL << 20}) {
    CAPTURE(size);
    StorePut wanted = put_of(name_at(1), size + 1, pattern(size, 9));
    wanted.meta = {1, 2, 3};
    put(engine.store, wanted);
    const StoreGetDone got = get(engine.store, name_at(1));
    CHECK(got.entry.name == name_at(1));
    CHECK(got.entry.version == size + 1);
    CHECK(got.entry.size == size);
    CHECK(got.entry.meta == Bytes{1, 2, 3});
    CHECK(got.entry.digest == wanted.digest);
    CHECK(got.value == wanted.value);
  }
}

TEST_CASE_TEMPLATE("parts of a value, clipped to what is there", Engine, EACH_ENGINE) {
  Engine engine;
  const Bytes value = pattern(100000, 3);
  put(engine.store, put_of(name_at(1), 1, value));
  const auto part = [&](std::uint64_t offset, std::uint64_t length) {
    return done<StoreGetDone>(apply_one(engine.store, StoreGet{name_at(1), true, offset, length}))
        .value;
  };
  CHECK(part(5, 70000) == Payload::copy_of(ByteView(value).subspan(5, 70000)));
  CHECK(part(99999, 50) == Payload::copy_of(ByteView(value).subspan(99999, 1)));
  CHECK(part(100000, 1).empty());
  CHECK(part(UINT64_MAX, UINT64_MAX).empty());
  CHECK(part(0, 0).empty());
  const auto bare = done<StoreGetDone>(apply_one(engine.store, StoreGet{name_at(1), false}));
  CHECK(bare.value.empty());
  CHECK(bare.entry.size == 100000);
}

TEST_CASE_TEMPLATE("what is not there is not found, and nodes do not see each other", Engine,
                   EACH_ENGINE) {
  Engine engine;
  CHECK(error_of(apply_one(engine.store, StoreGet{name_at(1)})) == ErrorCode::not_found);
  put(engine.store, put_of(name_at(1), 1, {1}));
  CHECK(error_of(apply_one(engine.store, StoreGet{name_at(1)}, kOther)) == ErrorCode::not_found);
  CHECK_FALSE(
      done<StoreEraseDone>(apply_one(engine.store, StoreErase{name_at(1)}, kOther)).existed);
  CHECK(done<StoreEraseDone>(apply_one(engine.store, StoreErase{name_at(1)})).existed);
  CHECK_FALSE(done<StoreEraseDone>(apply_one(engine.store, StoreErase{name_at(1)})).existed);
  CHECK(error_of(apply_one(engine.store, StoreGet{name_at(1)})) == ErrorCode::not_found);
}

TEST_CASE_TEMPLATE("conditions of a put", Engine, EACH_ENGINE) {
  Engine engine;
  const auto attempt = [&](PutCondition condition, std::uint64_t version, std::uint64_t expected) {
    StorePut wanted = put_of(name_at(1), version, {static_cast<std::uint8_t>(version)});
    wanted.condition = condition;
    wanted.expected_version = expected;
    return apply_one(engine.store, wanted);
  };
  CHECK(error_of(attempt(PutCondition::if_version, 5, 4)) == ErrorCode::conflict);
  CHECK(attempt(PutCondition::if_version, 5, 0).has_value());
  CHECK(error_of(attempt(PutCondition::if_version, 6, 0)) == ErrorCode::conflict);
  CHECK(error_of(attempt(PutCondition::if_newer, 5, 0)) == ErrorCode::conflict);
  CHECK(error_of(attempt(PutCondition::if_newer, 4, 0)) == ErrorCode::conflict);
  CHECK(attempt(PutCondition::if_newer, 6, 0).has_value());
  CHECK(attempt(PutCondition::if_version, 7, 6).has_value());
  CHECK(attempt(PutCondition::always, 2, 0).has_value());
  CHECK(get(engine.store, name_at(1)).entry.version == 2);
}

TEST_CASE_TEMPLATE("bad puts are refused and change nothing", Engine, EACH_ENGINE) {
  Engine engine;
  put(engine.store, put_of(name_at(1), 1, {1}));
  CHECK(error_of(apply_one(engine.store, put_of(name_at(1), 0, {2}))) == ErrorCode::invalid);
  StorePut wrong = put_of(name_at(1), 2, {2});
  (*wrong.digest)[5] ^= 1;
  CHECK(error_of(apply_one(engine.store, wrong)) == ErrorCode::corrupt);
  StorePut heavy = put_of(name_at(1), 2, {2});
  heavy.meta.resize(kStoreMetaMax + 1);
  CHECK(error_of(apply_one(engine.store, heavy)) == ErrorCode::too_large);
  const StorePut large = put_of(name_at(1), 2, Bytes(Engine::kValueMax + 1), false);
  CHECK(error_of(apply_one(engine.store, large)) == ErrorCode::too_large);
  CHECK(get(engine.store, name_at(1)).entry.version == 1);
  CHECK(engine.store.counters().corrupt == 1);
}

TEST_CASE_TEMPLATE("scans along the ring, with wrap-around and limit", Engine, EACH_ENGINE) {
  Engine engine;
  for (int i = 0; i < 256; i += 16) {
    StorePut entry = put_of(name_at(static_cast<std::uint8_t>(i)), 1, pattern(300, 1));
    entry.meta = {static_cast<std::uint8_t>(i)};
    put(engine.store, entry);
    put(engine.store, put_of(name_at(static_cast<std::uint8_t>(i)), 1, {1}), kOther);
  }
  const auto scan = [&](const StoreName& from, const StoreName& to, std::uint32_t limit = 1000) {
    const auto result = done<StoreScanDone>(apply_one(engine.store, StoreScan{from, to, limit}));
    std::vector<int> firsts;
    for (const StoreEntry& entry : result.entries) {
      firsts.push_back(entry.name.bytes[0]);
      REQUIRE(entry.meta.size() == 1);
      CHECK(entry.meta[0] == entry.name.bytes[0]);
      CHECK(entry.size == 300);
      CHECK(entry.digest.has_value());
    }
    return std::pair(firsts, result.more);
  };
  using Found = std::pair<std::vector<int>, bool>;
  CHECK(scan(name_at(16), name_at(48)) == Found{{16, 32, 48}, false});
  CHECK(scan(name_at(16, 1), name_at(47)) == Found{{32}, false});
  CHECK(scan(name_at(32), name_at(32)) == Found{{32}, false});
  CHECK(scan(name_at(33), name_at(34)) == Found{{}, false});
  CHECK(scan(name_at(224), name_at(16)) == Found{{224, 240, 0, 16}, false});
  CHECK(scan(name_at(224), name_at(16), 2) == Found{{224, 240}, true});
  CHECK(scan(name_at(224), name_at(16), 3) == Found{{224, 240, 0}, true});
  CHECK(scan(name_at(224), name_at(16), 4) == Found{{224, 240, 0, 16}, false});
  CHECK(scan(name_at(16), name_at(48), 2) == Found{{16, 32}, true});
  StoreName last;
  last.bytes.fill(0xff);
  CHECK(scan({}, last).first.size() == 16);
  CHECK(scan(name_at(128, 1), name_at(128)).first.size() == 16);
  CHECK(error_of(apply_one(engine.store, StoreScan{{}, last, 0})) == ErrorCode::invalid);
}

TEST_CASE_TEMPLATE("one batch: in order, one completion each, a refusal stops nothing", Engine,
                   EACH_ENGINE) {
  Engine engine;
  std::vector<StorageRequest> requests;
  requests.push_back(request_of(put_of(name_at(1), 1, {1}), kNode, 10));
  requests.push_back(request_of(StoreGet{name_at(1)}, kNode, 11));
  requests.push_back(request_of(put_of(name_at(2), 0, {1}), kNode, 12));
  requests.push_back(request_of(put_of(name_at(3), 1, pattern(50000, 2)), kOther, 13));
  requests.push_back(request_of(StoreGet{name_at(3)}, kOther, 14));
  requests.push_back(request_of(StoreErase{name_at(1)}, kNode, 15));
  requests.push_back(request_of(StoreUsage{}, kNode, 16));
  requests.push_back(request_of(ComputeDigest{Payload::copy_of("x")}, kNode, 17));
  std::vector<StorageCompletion> completions;
  engine.store.apply(requests, completions);
  REQUIRE(completions.size() == requests.size());
  for (std::size_t i = 0; i < completions.size(); ++i) CHECK(completions[i].tag == 10 + i);
  CHECK(done<StoreGetDone>(completions[1].result).value.size() == 1);
  CHECK(error_of(completions[2].result) == ErrorCode::invalid);
  CHECK(completions[4].node == kOther);
  CHECK(done<StoreGetDone>(completions[4].result).value == Payload(pattern(50000, 2)));
  CHECK(done<StoreEraseDone>(completions[5].result).existed);
  CHECK(done<StoreUsageDone>(completions[6].result).entries == 0);
  CHECK(done<ComputeDigestDone>(completions[7].result).digest ==
        quick_hash().digest(Payload::copy_of("x").view()));
  CHECK(done<StoreUsageDone>(apply_one(engine.store, StoreUsage{}, kOther)).entries == 1);
}

TEST_CASE_TEMPLATE("a full store refuses puts, but reads, erases and then puts go on", Engine,
                   EACH_ENGINE) {
  constexpr std::uint64_t kCapacity = 4U << 20;
  Engine engine(kCapacity);
  int stored = 0;
  Result<StoreOutcome> last = StorePutDone{};
  while (stored < 200) {
    const auto first = static_cast<std::uint8_t>(stored);
    last = apply_one(engine.store, put_of(name_at(first), 1, pattern(60000, first)));
    if (!last) break;
    ++stored;
  }
  CHECK(error_of(last) == ErrorCode::full);
  CHECK(stored >= 55);
  CHECK(stored <= 70);
  const auto usage = done<StoreUsageDone>(apply_one(engine.store, StoreUsage{}));
  CHECK(usage.used_bytes <= kCapacity);
  CHECK(usage.capacity_bytes == kCapacity);
  CHECK(usage.entries == static_cast<std::uint64_t>(stored));
  CHECK(get(engine.store, name_at(3)).value == Payload(pattern(60000, 3)));
  // The same size again replaces, which needs no more room.
  CHECK(apply_one(engine.store, put_of(name_at(3), 2, pattern(60000, 4))).has_value());
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < stored; ++i) {
      done<StoreEraseDone>(
          apply_one(engine.store, StoreErase{name_at(static_cast<std::uint8_t>(i))}));
    }
    CHECK(done<StoreUsageDone>(apply_one(engine.store, StoreUsage{})).entries == 0);
    for (int i = 0; i < stored - 1; ++i) {
      put(engine.store, put_of(name_at(static_cast<std::uint8_t>(i)), 1, pattern(60000, 1)));
    }
  }
  CHECK(engine.store.counters().refused_full >= 1);
}

TEST_CASE_TEMPLATE("random operations against a plain map", Engine, EACH_ENGINE) {
  Engine engine;
  std::map<StoreName, std::pair<std::uint64_t, Bytes>> model;
  std::uint32_t state = 99;
  const auto random = [&](std::uint32_t below) {
    state = state * 1664525U + 1013904223U;
    return (state >> 8) % below;
  };
  for (int step = 0; step < 60; ++step) {
    std::vector<StorageRequest> batch;
    for (std::uint32_t i = 0; i <= random(20); ++i) {
      const StoreName name = name_at(static_cast<std::uint8_t>(random(40)));
      if (random(3) == 0) {
        batch.push_back(request_of(StoreErase{name}));
        model.erase(name);
      } else {
        const std::uint64_t version = 1 + random(1000);
        Bytes value = pattern(random(2) == 0 ? random(3000) : random(40000),
                              static_cast<std::uint8_t>(version));
        batch.push_back(request_of(put_of(name, version, value)));
        model[name] = {version, std::move(value)};
      }
    }
    std::vector<StorageCompletion> completions;
    engine.store.apply(batch, completions);
    for (const StorageCompletion& completion : completions) CHECK(completion.result.has_value());
  }
  StoreName last;
  last.bytes.fill(0xff);
  const auto scan = done<StoreScanDone>(apply_one(engine.store, StoreScan{{}, last}));
  REQUIRE(scan.entries.size() == model.size());
  std::size_t i = 0;
  for (const auto& [name, expected] : model) {
    CHECK(scan.entries[i].name == name);
    CHECK(scan.entries[i].version == expected.first);
    CHECK(get(engine.store, name).value == Payload(expected.second));
    ++i;
  }
  CHECK(done<StoreUsageDone>(apply_one(engine.store, StoreUsage{})).entries == model.size());
}

}  // namespace
}  // namespace store_test
