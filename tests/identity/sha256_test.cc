#include "pastry/identity/sha256.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace pastry::identity {
namespace {

ByteView view(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST_CASE("SHA-256: the examples of FIPS 180-4") {
  const Sha256 hash;
  CHECK(hex(hash.digest(view("abc"))) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(hash.digest(ByteView())) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(hash.digest(view(std::string(1'000'000, 'a')))) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256: parts are hashed as if they were one") {
  const Sha256 hash;
  const std::vector<ByteView> parts = {view("a"), view(""), view("bc")};
  CHECK(hash.digest(parts) == hash.digest(view("abc")));
}

TEST_CASE("SHA-256: threads do not disturb each other") {
  const Sha256 hash;
  const std::string text(10'000, 'x');
  const Digest expected = hash.digest(view(text));
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (int& count : wrong)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) count += hash.digest(view(text)) != expected;
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

}  // namespace
}  // namespace pastry::identity
