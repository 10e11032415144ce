// The content hash, as an interface: pastry/identity implements it with OpenSSL's SHA-256.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "pastry/core/payload.h"

namespace pastry {

// A SHA-256 value.
using Digest = std::array<std::uint8_t, 32>;

class Hash {
 public:
  virtual ~Hash() = default;

  // The digest of the concatenated parts. Thread-safe.
  virtual Digest digest(std::span<const ByteView> parts) const = 0;

  Digest digest(ByteView bytes) const { return digest(std::span<const ByteView>(&bytes, 1)); }
};

// 64 lower-case hexadecimal digits.
std::string hex(const Digest& digest);

}  // namespace pastry
