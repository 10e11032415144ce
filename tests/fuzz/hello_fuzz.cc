// Any bytes as Hello and as HelloReply; what is accepted can be written again and read as the same.
#include <cstdlib>

#include "pastry/wire/hello.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pastry::wire;
  const auto require = [](bool condition) {
    if (!condition) std::abort();
  };
  const pastry::ByteView input(data, size);
  if (const auto hello = decode_hello(input)) {
    const auto frame = encode(*hello);
    require(frame.has_value());
    const auto again = decode_hello(*frame);
    require(again.has_value() && *again == *hello);
  }
  if (const auto reply = decode_hello_reply(input)) {
    const auto frame = encode(*reply);
    require(frame.has_value());
    const auto again = decode_hello_reply(*frame);
    require(again.has_value() && *again == *reply);
  }
  return 0;
}
