#include "pastry/zmq/clock.h"

#include <ctime>

namespace pastry::host {

Time boot_time() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return Time(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

WallTime wall_time() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return WallTime{now.tv_sec};
}

}  // namespace pastry::host
