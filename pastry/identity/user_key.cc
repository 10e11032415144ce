#include "pastry/identity/user_key.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstdlib>

#include "pastry/identity/files.h"

namespace pastry::identity {
namespace {

constexpr std::size_t kKeyFileMax = 16 * 1024;

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using KeyPointer = std::unique_ptr<EVP_PKEY, Free>;
using BioPointer = std::unique_ptr<BIO, Free>;

tl::unexpected<Error> openssl_failed(const char* what) {
  return fail(ErrorCode::failed, std::string("OpenSSL cannot ") + what);
}

// Keeps OpenSSL from asking for a passphrase on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

Result<std::string> to_pem(EVP_PKEY* key) {
  const BioPointer bio(BIO_new(BIO_s_secmem()));
  if (!bio ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return openssl_failed("write the key");
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

KeyPointer from_pem(const std::string& pem) {
  const BioPointer bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!bio) return nullptr;
  KeyPointer key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) return nullptr;
  return key;
}

}  // namespace

struct UserKey::State {
  KeyPointer key;
  PublicKey public_key{};

  static Result<std::unique_ptr<State>> make(KeyPointer key) {
    auto state = std::make_unique<State>();
    std::size_t size = state->public_key.size();
    if (EVP_PKEY_get_raw_public_key(key.get(), state->public_key.data(), &size) != 1 ||
        size != state->public_key.size())
      return openssl_failed("read the public key");
    state->key = std::move(key);
    return state;
  }
};

UserKey::UserKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
UserKey::UserKey(UserKey&&) noexcept = default;
UserKey& UserKey::operator=(UserKey&&) noexcept = default;
UserKey::~UserKey() = default;

Result<UserKey> UserKey::generate() {
  KeyPointer key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!key) return openssl_failed("make a key");
  return State::make(std::move(key)).map([](std::unique_ptr<State> state) {
    return UserKey(std::move(state));
  });
}

Result<UserKey> UserKey::load_or_create(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "user.key";
  auto pem = read_file(file, kKeyFileMax, true);
  if (!pem && pem.error().code == ErrorCode::not_found) {
    if (auto made = make_folder(folder, 0700); !made)
      return tl::unexpected<Error>(std::move(made.error()));
    auto key = generate();
    if (!key) return key;
    auto text = to_pem(key->state_->key.get());
    if (!text) return tl::unexpected<Error>(std::move(text.error()));
    const auto created = create_file(file, *text, 0600);
    if (!created) return tl::unexpected<Error>(created.error());
    if (*created) return key;
    pem = read_file(file, kKeyFileMax, true);  // another process was first
  }
  if (!pem) return tl::unexpected<Error>(std::move(pem.error()));
  KeyPointer key = from_pem(*pem);
  if (!key)
    return fail(ErrorCode::corrupt, file.string() +
                                        ": not an Ed25519 key in PEM without passphrase; restore "
                                        "it, or move it away to get a new identity");
  return State::make(std::move(key)).map([](std::unique_ptr<State> state) {
    return UserKey(std::move(state));
  });
}

const PublicKey& UserKey::public_key() const { return state_->public_key; }

Result<Signature> UserKey::sign(ByteView message) const {
  const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  Signature signature{};
  std::size_t size = signature.size();
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, state_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1)
    return openssl_failed("sign");
  return signature;
}

bool verify(const PublicKey& key, ByteView message, const Signature& signature) {
  const KeyPointer pkey(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()));
  const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  return pkey && context &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

Result<std::filesystem::path> user_folder() {
  const auto variable = [](const char* name) -> std::filesystem::path {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  // The base directory specification: a relative path is to be ignored.
  if (const auto config = variable("XDG_CONFIG_HOME"); config.is_absolute())
    return config / "pastry";
  if (const auto home = variable("HOME"); home.is_absolute()) return home / ".config" / "pastry";
  return fail(ErrorCode::failed, "neither XDG_CONFIG_HOME nor HOME is set");
}

}  // namespace pastry::identity
