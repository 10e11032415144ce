#include "pastry/wire/subnet_metric.h"

#include <array>
#include <span>

#include "pastry/wire/address.h"

namespace pastry::wire {
namespace {

// A numeric address as bytes, the first one highest; none of them if there is no such address.
class AddressBytes {
 public:
  explicit AddressBytes(const HostInfo& host) {
    if (host.addresses.empty()) return;
    const auto address = parse_address(host.addresses.front());
    if (!address || address->kind == Address::Kind::name) return;
    if (address->kind == Address::Kind::ipv6) append(address->high, 8);
    append(address->low, address->kind == Address::Kind::ipv6 ? 8 : 4);
  }

  std::span<const std::uint8_t> view() const { return {bytes_.data(), size_}; }

 private:
  void append(std::uint64_t value, std::size_t count) {
    while (count-- > 0) bytes_[size_++] = static_cast<std::uint8_t>(value >> (8 * count));
  }

  std::array<std::uint8_t, 16> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace

proximity::Proximity SubnetMetric::distance(const Directory& directory, Handle self,
                                            Handle peer) const {
  const AddressBytes here(directory.host(self));
  const AddressBytes there(directory.host(peer));
  if (here.view().empty() || there.view().empty()) return {};
  return proximity::subnet_distance(here.view(), there.view());
}

}  // namespace pastry::wire
