// Immutable, shared bytes: the payload frame that a hop passes on without looking at it.
//
// Copying a Payload copies a reference. The owner may be anything that keeps the bytes alive (a
// vector, a received frame), so that a hop forwards what arrived without copying it. Thread-safe in
// the way std::shared_ptr is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace pastry {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

class Payload {
 public:
  Payload() = default;

  // Takes the vector over.
  explicit Payload(Bytes bytes) {
    if (bytes.empty()) return;
    auto owner = std::make_shared<const Bytes>(std::move(bytes));
    view_ = ByteView(*owner);
    owner_ = std::move(owner);
  }

  // Shares bytes that `owner` keeps alive and unchanged.
  Payload(std::shared_ptr<const void> owner, ByteView view)
      : owner_(std::move(owner)), view_(view) {}

  static Payload copy_of(ByteView bytes) { return Payload(Bytes(bytes.begin(), bytes.end())); }
  static Payload copy_of(std::string_view text) { return Payload(Bytes(text.begin(), text.end())); }

  // A part of these bytes that shares their owner; offset + size must lie within size().
  Payload part(std::size_t offset, std::size_t size) const {
    return Payload(owner_, view_.subspan(offset, size));
  }

  ByteView view() const { return view_; }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(view_.data()), view_.size()};
  }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  friend bool operator==(const Payload& a, const Payload& b) {
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.view_.data(), b.view_.data(), a.size()) == 0);
  }

 private:
  std::shared_ptr<const void> owner_;
  ByteView view_;
};

}  // namespace pastry
