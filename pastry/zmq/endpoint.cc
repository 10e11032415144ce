#include "pastry/zmq/endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "pastry/core/hex.h"

namespace pastry::host {
namespace {

constexpr std::string_view kScheme = "tcp://";
constexpr std::size_t kTextMax = 256;

tl::unexpected<Error> malformed(std::string_view text) {
  return fail(ErrorCode::invalid, "malformed endpoint " + quoted(text) +
                                      ": expected tcp://HOST:PORT, an IPv6 HOST in brackets");
}

bool host_characters(std::string_view host, bool bracketed) {
  if (host.empty()) return false;
  for (const char c : host) {
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!alphanumeric && c != '.' && c != '-' && c != '_' && !(bracketed && (c == ':' || c == '%')))
      return false;
  }
  return true;
}

// One spelling per host, so that equal addresses are equal strings.
std::string canonical(std::string_view host) {
  std::string text;
  for (const char c : host) text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return text;
  std::array<char, INET6_ADDRSTRLEN> out{};
  inet_ntop(AF_INET6, &v6, out.data(), out.size());
  return out.data();
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view text) {
  if (text.size() > kTextMax || !text.starts_with(kScheme)) return malformed(text);
  const std::string_view rest = text.substr(kScheme.size());
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return malformed(text);
  std::string_view host = rest.substr(0, colon);
  const std::string_view port = rest.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!host_characters(host, bracketed)) return malformed(text);

  Endpoint endpoint;
  endpoint.host = canonical(host);
  if (port == "*") return endpoint;
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || error != std::errc{} || end != port.data() + port.size())
    return malformed(text);
  if (number > 65533)
    return fail(ErrorCode::invalid, "port of '" + std::string(text) +
                                        "' too high: the two ports after it are used as well");
  endpoint.port = number;
  return endpoint;
}

std::string Endpoint::text() const { return text(Channel::admission); }

std::string Endpoint::text(Channel channel) const {
  const bool bracketed = host.find(':') != std::string::npos;
  std::string result(kScheme);
  if (bracketed) result += '[';
  result += host;
  if (bracketed) result += ']';
  result += ':';
  result += std::to_string(port + static_cast<int>(channel));
  return result;
}

bool Endpoint::loopback() const {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6) != 0;
  return host == "localhost";
}

Result<Endpoint> Endpoint::resolved() const {
  // Always this machine (RFC 6761), also where no file or server says so.
  if (host == "localhost") return Endpoint{"127.0.0.1", port};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  std::array<char, INET6_ADDRSTRLEN> text{};
  // IPv4 first: a name may stand for both, and all processes must choose the same.
  for (const int family : {AF_INET, AF_INET6}) {
    hints.ai_family = family;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) continue;
    const int failed = getnameinfo(found->ai_addr, found->ai_addrlen, text.data(), text.size(),
                                   nullptr, 0, NI_NUMERICHOST);
    freeaddrinfo(found);
    if (failed == 0) return Endpoint{text.data(), port};
  }
  return fail(ErrorCode::invalid, "cannot resolve the host of " + quoted(this->text()));
}

Endpoint Endpoint::dialled() const {
  auto numeric = resolved();
  return numeric ? std::move(*numeric) : *this;
}

bool Endpoint::needs_ipv6() const {
  const auto numeric = resolved();
  return numeric && numeric->host.find(':') != std::string::npos;
}

Result<void> require_loopback(const Endpoint& endpoint, std::string_view what) {
  if (endpoint.loopback()) return {};
  return fail(ErrorCode::invalid, std::string(what) + " " + endpoint.text() +
                                      " is not a loopback address: without identity only loopback "
                                      "is allowed (127.0.0.1, [::1], localhost)");
}

}  // namespace pastry::host
