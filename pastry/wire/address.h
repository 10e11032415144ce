// Addresses "tcp://HOST:PORT" as text and as numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pastry/core/error.h"

namespace pastry::wire {

struct Address {
  enum class Kind : std::uint8_t { ipv4 = 0, ipv6 = 1, name = 2 };
  Kind kind = Kind::ipv4;
  std::uint64_t high = 0;  // ipv6: the first 8 bytes, big-endian
  std::uint64_t low = 0;   // ipv6: the last 8 bytes; ipv4: the address
  std::uint16_t port = 0;  // 1 … 65535
  std::string name;        // kind name: letters, digits, '-', '.', '_'

  friend bool operator==(const Address&, const Address&) = default;
};

// Error: invalid, with the text and what is wrong with it.
Result<Address> parse_address(std::string_view text);

// The one spelling of an address: parse_address(format_address(a)) == a.
std::string format_address(const Address& address);

// Whether `text` is the one spelling of `address`.
bool is_canonical(const Address& address, std::string_view text);

// `text` in the one spelling. A process that advertises an address brings it into this form first,
// because peers compare addresses as text.
Result<std::string> canonical_address(std::string_view text);

// Whether `name` can be a host name: 1 … 240 letters, digits, '-', '.', '_', and no IPv4 address.
bool valid_host_name(std::string_view name);

}  // namespace pastry::wire
