#include "pastry/zmq/doorkeeper.h"

#include <sys/socket.h>

#include <algorithm>
#include <vector>

namespace pastry::host {

void Doorkeeper::observe(Time now) {
  while (const auto event = monitor_.next()) {
    if (event->kind == Monitor::Kind::accepted) unproven_[event->fd] = now;
    if (event->kind == Monitor::Kind::down) unproven_.erase(event->fd);
  }
  if (unproven_.size() > limits_.unproven_max) sweep(now);
}

std::size_t Doorkeeper::sweep(Time now) {
  if (unproven_.empty()) return 0;
  std::vector<std::pair<Time, int>> condemned;
  std::vector<std::pair<Time, int>> rest;
  for (const auto& [fd, since] : unproven_) {
    const bool old = limits_.age_max > Duration{} && now - since > limits_.age_max;
    const bool much = limits_.bytes_max != 0 && bytes_received(fd) > limits_.bytes_max;
    (old || much ? condemned : rest).emplace_back(since, fd);
  }
  if (rest.size() > limits_.unproven_max) {
    // The oldest go: an honest hello takes milliseconds.
    std::sort(rest.begin(), rest.end());
    const std::size_t surplus = rest.size() - limits_.unproven_max;
    condemned.insert(condemned.end(), rest.begin(),
                     rest.begin() + static_cast<std::ptrdiff_t>(surplus));
  }
  for (const auto& [since, fd] : condemned) expel(fd);
  return condemned.size();
}

void Doorkeeper::expel(int fd) {
  unproven_.erase(fd);
  // The descriptor belongs to ZeroMQ and may have been closed and reused since; at worst another
  // connection of this very listener is cut.
  if (is_connection_of(fd, port_)) shutdown(fd, SHUT_RDWR);
}

}  // namespace pastry::host
