// SHA-256 by OpenSSL, behind the core's Hash interface.
#pragma once

#include "pastry/core/hash.h"

namespace pastry::identity {

// Stateless and thread-safe; digests of different threads do not wait for each other.
class Sha256 final : public Hash {
 public:
  using Hash::digest;
  Digest digest(std::span<const ByteView> parts) const override;
};

}  // namespace pastry::identity
