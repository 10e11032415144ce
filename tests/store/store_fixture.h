// What the store tests share: a quick hash, short ways to write requests, a temporary directory.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "pastry/core/storage.h"

namespace store_test {

using namespace pastry;

// FNV-1a in four lanes: not a cryptographic hash, but one that sees a flipped bit.
class QuickHash final : public Hash {
 public:
  using Hash::digest;
  Digest digest(std::span<const ByteView> parts) const override {
    Digest result{};
    for (std::uint64_t lane = 0; lane < 4; ++lane) {
      std::uint64_t state = 0xcbf29ce484222325ULL + lane;
      for (const ByteView part : parts) {
        for (const std::uint8_t byte : part) state = (state ^ byte) * 0x100000001b3ULL;
      }
      for (std::size_t i = 0; i < 8; ++i) {
        result[lane * 8 + i] = static_cast<std::uint8_t>(state >> (8 * i));
      }
    }
    return result;
  }
};

inline const QuickHash& quick_hash() {
  static const QuickHash hash;
  return hash;
}

inline const NodeId kNode{7, 7};
inline const NodeId kOther{8, 0};

// A name whose first byte places it on the ring.
inline StoreName name_at(std::uint8_t first, std::uint8_t last = 0) {
  StoreName name;
  name.bytes[0] = first;
  name.bytes[31] = last;
  return name;
}

inline Bytes pattern(std::size_t size, std::uint8_t seed) {
  Bytes bytes(size);
  std::uint32_t state = 12345U + seed;
  for (auto& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return bytes;
}

inline StorePut put_of(const StoreName& name, std::uint64_t version, Bytes value,
                       bool with_digest = true) {
  StorePut put;
  put.name = name;
  put.version = version;
  if (with_digest) put.digest = quick_hash().digest(ByteView(value));
  put.value = Payload(std::move(value));
  return put;
}

inline StorageRequest request_of(StoreOperation operation, const NodeId& node = kNode,
                                 std::uint64_t tag = 0) {
  return {node, ApplicationId{3}, tag, std::move(operation)};
}

inline Result<StoreOutcome> apply_one(Store& store, StoreOperation operation,
                                      const NodeId& node = kNode) {
  const StorageRequest request = request_of(std::move(operation), node, 42);
  std::vector<StorageCompletion> completions;
  store.apply({&request, 1}, completions);
  REQUIRE(completions.size() == 1);
  CHECK(completions[0].node == node);
  CHECK(completions[0].application == ApplicationId{3});
  CHECK(completions[0].tag == 42);
  return completions[0].result;
}

template <typename Done>
Done done(const Result<StoreOutcome>& result) {
  const std::string message = result ? std::string() : result.error().message;
  REQUIRE_MESSAGE(result.has_value(), message);
  REQUIRE(std::holds_alternative<Done>(*result));
  return std::get<Done>(*result);
}

inline ErrorCode error_of(const Result<StoreOutcome>& result) {
  REQUIRE(!result.has_value());
  CHECK(!result.error().message.empty());
  CHECK(result.error().message.find('\n') == std::string::npos);
  return result.error().code;
}

inline void put(Store& store, const StorePut& operation, const NodeId& node = kNode) {
  done<StorePutDone>(apply_one(store, operation, node));
}

inline StoreGetDone get(Store& store, const StoreName& name, const NodeId& node = kNode) {
  return done<StoreGetDone>(apply_one(store, StoreGet{name}, node));
}

// Removed with everything in it at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "pastry-store-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace store_test
