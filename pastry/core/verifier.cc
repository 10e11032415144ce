#include "pastry/core/verifier.h"

#include <optional>

#include "pastry/core/hex.h"

namespace pastry {
namespace {

// A decimal number of 0 … max without sign or superfluous digits.
std::optional<unsigned> number(std::string_view text, unsigned max) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value > max) return std::nullopt;
  return value;
}

// Four numbers, the first of them 127. Not merely the prefix: "127.evil.example" is a name.
bool is_loopback_ipv4(std::string_view host) {
  for (int part = 0; part < 4; ++part) {
    const std::size_t dot = host.find('.');
    if ((dot == std::string_view::npos) != (part == 3)) return false;
    const std::optional<unsigned> value = number(host.substr(0, dot), 255);
    if (!value || (part == 0 && *value != 127)) return false;
    if (part < 3) host.remove_prefix(dot + 1);
  }
  return true;
}

bool is_loopback_tcp(std::string_view host_and_port) {
  const std::size_t colon = host_and_port.rfind(':');
  if (colon == std::string_view::npos) return false;
  if (number(host_and_port.substr(colon + 1), 65535).value_or(0) == 0) return false;
  const std::string_view host = host_and_port.substr(0, colon);
  return host == "localhost" || host == "[::1]" || is_loopback_ipv4(host);
}

bool is_loopback(std::string_view address) {
  const std::size_t separator = address.find("://");
  if (separator == std::string_view::npos) return false;
  const std::string_view transport = address.substr(0, separator);
  const std::string_view rest = address.substr(separator + 3);
  if (transport == "tcp") return is_loopback_tcp(rest);
  return (transport == "ipc" || transport == "inproc") && !rest.empty();
}

}  // namespace

Result<void> InsecureLoopbackVerifier::verify(const PeerInfo& peer) const {
  for (const std::string& address : peer.host.addresses) {
    if (is_loopback(address)) continue;
    return fail(ErrorCode::refused,
                "insecure mode takes peers on the loopback interface only, not " + quoted(address));
  }
  return {};
}

}  // namespace pastry
