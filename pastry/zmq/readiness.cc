#include "pastry/zmq/readiness.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace pastry::host {
namespace {

constexpr std::size_t kTakenAtOnce = 64;

tl::unexpected<Error> system_error(const char* what) {
  return fail(ErrorCode::failed, std::string(what) + ": " + std::strerror(errno));
}

}  // namespace

Result<Readiness> Readiness::make() {
  const int descriptor = epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) return system_error("cannot make a set of descriptors");
  return Readiness(descriptor);
}

Readiness::~Readiness() {
  if (descriptor_ >= 0) close(descriptor_);
}

Readiness::Readiness(Readiness&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

Result<void> Readiness::add(zmq::socket_t& socket, void* tag) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = tag;
  if (epoll_ctl(descriptor_, EPOLL_CTL_ADD, socket.get(zmq::sockopt::fd), &event) != 0)
    return system_error("cannot watch a socket");
  return {};
}

void Readiness::remove(zmq::socket_t& socket) {
  epoll_ctl(descriptor_, EPOLL_CTL_DEL, socket.get(zmq::sockopt::fd), nullptr);
}

std::vector<void*> Readiness::take() {
  std::array<epoll_event, kTakenAtOnce> events;
  const int count = epoll_wait(descriptor_, events.data(), static_cast<int>(events.size()), 0);
  std::vector<void*> tags;
  for (int i = 0; i < count; ++i) {
    void* const tag = events[static_cast<std::size_t>(i)].data.ptr;
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(tag);
  }
  return tags;
}

}  // namespace pastry::host
