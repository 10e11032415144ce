#include "pastry/identity/sha256.h"

#include <openssl/evp.h>

#include <memory>
#include <new>

namespace pastry::identity {
namespace {

struct Free {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(EVP_MD* algorithm) const { EVP_MD_free(algorithm); }
};

// Fetching the algorithm costs more than hashing a short text: once per thread.
struct Engine {
  std::unique_ptr<EVP_MD, Free> algorithm{EVP_MD_fetch(nullptr, "SHA256", nullptr)};
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

}  // namespace

Digest Sha256::digest(std::span<const ByteView> parts) const {
  thread_local const Engine engine;
  Digest result{};
  // Of OpenSSL's calls only those that allocate can fail.
  bool good = engine.algorithm && engine.context &&
              EVP_DigestInit_ex2(engine.context.get(), engine.algorithm.get(), nullptr) == 1;
  for (const ByteView part : parts)
    good = good && EVP_DigestUpdate(engine.context.get(), part.data(), part.size()) == 1;
  good = good && EVP_DigestFinal_ex(engine.context.get(), result.data(), nullptr) == 1;
  if (!good) throw std::bad_alloc();
  return result;
}

}  // namespace pastry::identity
