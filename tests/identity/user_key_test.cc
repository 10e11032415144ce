#include "pastry/identity/user_key.h"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "tests/identity/temporary_folder.h"

namespace pastry::identity {
namespace {

namespace fs = std::filesystem;

const Bytes kMessage = {1, 2, 3};

TEST_CASE("user key: made on first use, the same afterwards") {
  const TemporaryFolder folder;
  const fs::path home = folder.path() / "a" / "b";
  const auto first = UserKey::load_or_create(home);
  REQUIRE(first);
  CHECK(fs::status(home / "user.key").permissions() ==
        (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(fs::status(home).permissions() == fs::perms::owner_all);
  CHECK(files_in(home) == 1);
  const auto second = UserKey::load_or_create(home);
  REQUIRE(second);
  CHECK(first->public_key() == second->public_key());
  CHECK(first->sign(kMessage).value() == second->sign(kMessage).value());
}

TEST_CASE("user key: a signature holds for its message and key only") {
  const auto key = UserKey::generate();
  const auto other = UserKey::generate();
  REQUIRE(key);
  REQUIRE(other);
  Signature signature = key->sign(kMessage).value();
  CHECK(verify(key->public_key(), kMessage, signature));
  CHECK_FALSE(verify(other->public_key(), kMessage, signature));
  CHECK_FALSE(verify(key->public_key(), Bytes{1, 2, 4}, signature));
  CHECK(verify(key->public_key(), {}, key->sign({}).value()));
  signature[10] ^= 1;
  CHECK_FALSE(verify(key->public_key(), kMessage, signature));
  CHECK_FALSE(verify(PublicKey{}, kMessage, signature));
}

TEST_CASE("user key: those that make it together get the same") {
  const TemporaryFolder folder;
  std::vector<PublicKey> keys(8);
  std::vector<std::thread> threads;
  for (PublicKey& key : keys)
    threads.emplace_back([&] {
      if (const auto made = UserKey::load_or_create(folder.path())) key = made->public_key();
    });
  for (auto& thread : threads) thread.join();
  CHECK(keys == std::vector<PublicKey>(keys.size(), keys[0]));
  CHECK(keys[0] != PublicKey{});
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("user key: clear errors") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "user.key";
  const auto code = [&] {
    const auto key = UserKey::load_or_create(folder.path());
    REQUIRE_FALSE(key);
    CHECK(key.error().message.find("user.key") != std::string::npos);
    return key.error().code;
  };
  SUBCASE("not a key") {
    write(file, "hello");
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
    CHECK(code() == ErrorCode::corrupt);
    CHECK(read(file) == "hello");
  }
  SUBCASE("others may read it") {
    write(file, "hello");
    fs::permissions(file, fs::perms::owner_all | fs::perms::group_read);
    CHECK(code() == ErrorCode::refused);
  }
  SUBCASE("far too large") {
    write(file, std::string(100'000, 'x'));
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
    CHECK(code() == ErrorCode::corrupt);
  }
  SUBCASE("a folder") {
    fs::create_directory(file);
    CHECK(code() == ErrorCode::failed);
  }
}

TEST_CASE("user key: the folder is a file") {
  const TemporaryFolder folder;
  write(folder.path() / "file", "");
  const auto key = UserKey::load_or_create(folder.path() / "file" / "below");
  REQUIRE_FALSE(key);
  CHECK(key.error().code == ErrorCode::failed);
}

}  // namespace
}  // namespace pastry::identity
