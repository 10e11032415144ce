#include "apps/cluster/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <string>

namespace pastry::cluster {
namespace {

constexpr int kLowest = 10000;

int lowest_ephemeral_port() {
  constexpr int kUsual = 32768;
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  int port = 0;
  return file >> port && port > kLowest + 1000 ? port : kUsual;
}

}  // namespace

bool port_is_free(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const int on = 1;
  // As ZeroMQ does: connections of an earlier life that linger do not count.
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
                    ::listen(fd, 1) == 0;
  ::close(fd);
  return free;
}

Result<void> check_ports(int base, int count) {
  constexpr int kHighest = 65535;
  if (base < 1 || base + count - 1 > kHighest) {
    return fail(ErrorCode::invalid,
                "there are no " + std::to_string(count) + " ports from " + std::to_string(base));
  }
  for (int port = base; port < base + count; ++port) {
    if (!port_is_free(port)) {
      return fail(ErrorCode::conflict, "port " + std::to_string(port) + " is taken");
    }
  }
  return {};
}

Result<int> find_free_ports(int count) {
  constexpr int kAttempts = 50;
  const int last = lowest_ephemeral_port() - count;
  if (last <= kLowest) return fail(ErrorCode::invalid, "too many processes for the free ports");
  std::random_device device;
  std::uniform_int_distribution<int> base_of(kLowest, last);
  for (int i = 0; i < kAttempts; ++i) {
    const int base = base_of(device);
    if (check_ports(base, count)) return base;
  }
  return fail(ErrorCode::full, "found no " + std::to_string(count) + " consecutive free ports");
}

}  // namespace pastry::cluster
