#include "pastry/wire/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "pastry/wire/limits.h"

namespace pastry::wire {
namespace {

constexpr std::string_view kScheme = "tcp://";
constexpr std::size_t kNameMax = 240;

tl::unexpected<Error> bad(std::string_view text, const char* reason) {
  return fail(ErrorCode::invalid,
              "address \"" + std::string(text.substr(0, kAddressCharsMax)) + "\": " + reason);
}

bool parse_ipv4(std::string_view host, std::uint64_t& value) {
  const std::string text(host);
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) return false;
  value = ntohl(address.s_addr);
  return true;
}

bool parse_ipv6(std::string_view host, std::uint64_t& high, std::uint64_t& low) {
  const std::string text(host);
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return false;
  high = low = 0;
  for (std::size_t i = 0; i < 8; ++i) high = high << 8 | bytes[i];
  for (std::size_t i = 8; i < 16; ++i) low = low << 8 | bytes[i];
  return true;
}

// "tcp://[", the longest name, "]:65535".
using Spelling = std::array<char, kScheme.size() + kNameMax + 9>;

// Writes the one spelling without allocating; peers are encoded by the thousand.
std::string_view spell(const Address& address, Spelling& out) {
  char* at = std::copy(kScheme.begin(), kScheme.end(), out.data());
  char* const end = out.data() + out.size();
  switch (address.kind) {
    case Address::Kind::ipv4:
      for (int shift = 24; shift >= 0; shift -= 8) {
        at = std::to_chars(at, end, address.low >> shift & 0xff).ptr;
        if (shift > 0) *at++ = '.';
      }
      break;
    case Address::Kind::ipv6: {
      std::array<std::uint8_t, 16> bytes{};
      for (std::size_t i = 0; i < 8; ++i) {
        bytes[i] = static_cast<std::uint8_t>(address.high >> (56 - 8 * i));
        bytes[8 + i] = static_cast<std::uint8_t>(address.low >> (56 - 8 * i));
      }
      *at++ = '[';
      inet_ntop(AF_INET6, bytes.data(), at, INET6_ADDRSTRLEN);
      at += std::string_view(at).size();
      *at++ = ']';
      break;
    }
    case Address::Kind::name:
      at = std::copy_n(address.name.data(), std::min(address.name.size(), kNameMax), at);
      break;
  }
  *at++ = ':';
  at = std::to_chars(at, end, address.port).ptr;
  return {out.data(), static_cast<std::size_t>(at - out.data())};
}

}  // namespace

bool valid_host_name(std::string_view name) {
  if (name.empty() || name.size() > kNameMax) return false;
  const bool characters = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
  });
  std::uint64_t ignored = 0;
  return characters && !parse_ipv4(name, ignored);
}

Result<Address> parse_address(std::string_view text) {
  if (text.size() > kAddressCharsMax) return bad(text, "longer than 255 characters");
  if (!text.starts_with(kScheme)) return bad(text, "does not start with tcp://");
  const std::string_view rest = text.substr(kScheme.size());
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return bad(text, "has no port");

  Address address;
  const std::string_view port = rest.substr(colon + 1);
  const auto [end, error] =
      std::from_chars(port.data(), port.data() + port.size(), address.port, 10);
  if (error != std::errc() || end != port.data() + port.size() || address.port == 0)
    return bad(text, "the port is not a number from 1 to 65535");

  const std::string_view host = rest.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    address.kind = Address::Kind::ipv6;
    if (!parse_ipv6(host.substr(1, host.size() - 2), address.high, address.low))
      return bad(text, "not an IPv6 address between the brackets");
  } else if (!parse_ipv4(host, address.low)) {
    if (!valid_host_name(host)) return bad(text, "not an IP address or host name");
    address.kind = Address::Kind::name;
    address.name = host;
  }
  return address;
}

std::string format_address(const Address& address) {
  Spelling space;
  return std::string(spell(address, space));
}

bool is_canonical(const Address& address, std::string_view text) {
  Spelling space;
  return spell(address, space) == text;
}

Result<std::string> canonical_address(std::string_view text) {
  return parse_address(text).map([](const Address& address) { return format_address(address); });
}

}  // namespace pastry::wire
