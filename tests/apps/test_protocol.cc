// The control protocol's header: what comes in is checked, what goes out comes back.
#include <doctest/doctest.h>

#include <random>

#include "apps/control/protocol.h"

using namespace pastry;
using namespace pastry::control;

namespace {

Header round_trip(const Header& header) {
  CallId call = 0;
  const auto decoded = decode(encode(header), call);
  REQUIRE(decoded);
  CHECK(call == header.call);
  CHECK(decoded->type == header.type);
  return *decoded;
}

ErrorCode refused(const std::string& text) {
  CallId call = 0;
  const auto decoded = decode(text, call);
  REQUIRE_FALSE(decoded);
  return decoded.error().code;
}

}  // namespace

TEST_CASE("every type survives encoding") {
  Header header;
  header.call = 7;
  header.method = "put";
  header.body = {{"k", 3}};
  header.credit = 99;
  const Header call = round_trip(header);
  CHECK(call.method == "put");
  CHECK(call.body == header.body);
  CHECK(call.credit == 99);

  header.type = Type::data;
  header.end = true;
  CHECK(round_trip(header).end);
  header.type = Type::credit;
  CHECK(round_trip(header).credit == 99);
  header.type = Type::error;
  header.error = {ErrorCode::timed_out, "too late"};
  CHECK(round_trip(header).error.code == ErrorCode::timed_out);
  CHECK(round_trip(header).error.message == "too late");
  for (const Type type : {Type::cancel, Type::ping}) {
    header.type = type;
    round_trip(header);
  }
  for (const Type type : {Type::result, Type::event}) {
    header.type = type;
    CHECK(round_trip(header).body == header.body);
  }
}

TEST_CASE("malformed headers are refused by value") {
  CHECK(refused("") == ErrorCode::invalid);
  CHECK(refused("null") == ErrorCode::invalid);
  CHECK(refused("[1]") == ErrorCode::invalid);
  CHECK(refused("{\"v\":1}") == ErrorCode::invalid);
  CHECK(refused(R"({"v":1,"type":"sing"})") == ErrorCode::invalid);
  CHECK(refused(R"({"v":1,"type":"call","call":1})") == ErrorCode::invalid);
  CHECK(refused(R"({"v":1,"type":"call","call":1,"method":"x","params":[]})") ==
        ErrorCode::invalid);
  CHECK(refused(R"({"v":1,"type":"credit","call":1,"credit":-5})") == ErrorCode::invalid);
  CHECK(refused(R"({"v":2,"type":"call","call":1,"method":"x"})") == ErrorCode::incompatible);
  CHECK(refused(std::string(kHeaderMax + 1, ' ')) == ErrorCode::too_large);
  std::string deep = R"({"v":1,"type":"call","call":1,"method":"x","params":)";
  deep += std::string(10000, '[') + std::string(10000, ']') + "}";
  CHECK(refused(deep) == ErrorCode::invalid);
}

TEST_CASE("the call's id is known even if the rest is wrong") {
  CallId call = 0;
  CHECK_FALSE(decode(R"({"v":1,"call":42,"type":"call"})", call));
  CHECK(call == 42);
}

TEST_CASE("random bytes and mutated headers never do harm") {
  std::mt19937 random(1);
  Header header;
  header.call = 1;
  header.method = "lookup";
  header.body = {{"keys", {"00", "11"}}, {"timeout", 1.5}};
  const std::string good = encode(header);
  for (int i = 0; i < 20000; ++i) {
    std::string text = good;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int c = 0; c < changes; ++c) text[random() % text.size()] = static_cast<char>(random());
    if (random() % 4 == 0) text.resize(random() % text.size());
    CallId call = 0;
    (void)decode(text, call);
  }
}
