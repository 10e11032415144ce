// The user's Ed25519 key: owns files and topics. Made on first use in the user's folder.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "pastry/core/error.h"
#include "pastry/core/payload.h"

namespace pastry::identity {

using PublicKey = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;

class UserKey {
 public:
  // Loads `folder`/user.key (PEM, PKCS #8), or makes folder (0700) and key (0600) if there is none;
  // of two processes that make it at the same time both get the same key. Errors: failed (the
  // message names file and reason), corrupt (not an Ed25519 key), refused (others can read it).
  static Result<UserKey> load_or_create(const std::filesystem::path& folder);

  // A key that is kept in memory only.
  static Result<UserKey> generate();

  UserKey(UserKey&&) noexcept;
  UserKey& operator=(UserKey&&) noexcept;
  ~UserKey();

  const PublicKey& public_key() const;
  // Thread-safe.
  Result<Signature> sign(ByteView message) const;

 private:
  struct State;
  explicit UserKey(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Whether `signature` over `message` was made with the secret half of `key`.
bool verify(const PublicKey& key, ByteView message, const Signature& signature);

// The user's folder: $XDG_CONFIG_HOME/pastry, or $HOME/.config/pastry. Error: failed.
Result<std::filesystem::path> user_folder();

}  // namespace pastry::identity
