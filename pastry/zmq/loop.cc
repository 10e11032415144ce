#include "pastry/zmq/loop.h"

#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace pastry::host {
namespace {

constexpr Duration kWaitMax = std::chrono::hours(1);

void drain(int fd) {
  std::uint64_t value = 0;
  [[maybe_unused]] const ssize_t got = read(fd, &value, sizeof value);
}

}  // namespace

Result<std::unique_ptr<Loop>> Loop::open(std::size_t posts_max) {
  const int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  const int timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (wake_fd < 0 || timer_fd < 0) {
    const int number = errno;
    if (wake_fd >= 0) close(wake_fd);
    if (timer_fd >= 0) close(timer_fd);
    return fail(ErrorCode::failed,
                std::string("cannot make an event descriptor: ") + std::strerror(number));
  }
  return std::unique_ptr<Loop>(new Loop(wake_fd, timer_fd, posts_max));
}

Loop::~Loop() {
  close(wake_fd_);
  close(timer_fd_);
}

bool Loop::post(Callback action) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || posts_.size() >= posts_max_) return false;
    posts_.push_back(std::move(action));
  }
  wake();
  return true;
}

void Loop::wake() {
  if (awake_.exchange(true)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = write(wake_fd_, &one, sizeof one);
}

void Loop::end() {
  std::vector<Callback> dropped;
  const std::lock_guard lock(mutex_);
  ended_ = true;
  dropped.swap(posts_);
}

Loop::Token Loop::watch(zmq_pollitem_t item, std::function<void(short)> action) {
  watches_[++last_token_] = {item, std::make_shared<std::function<void(short)>>(std::move(action)),
                             0};
  return last_token_;
}

Loop::Token Loop::at(Time when, Duration period, Callback action) {
  timers_[++last_token_] = {period, std::move(action), when};
  due_.emplace(when, last_token_);
  return last_token_;
}

void Loop::cancel(Token token) {
  const auto timer = timers_.find(token);
  if (timer == timers_.end()) return;
  const auto [first, last] = due_.equal_range(timer->second.when);
  for (auto it = first; it != last; ++it) {
    if (it->second != token) continue;
    due_.erase(it);
    break;
  }
  timers_.erase(timer);
}

void Loop::arm(Time exact) {
  if (exact == armed_) return;
  armed_ = exact;
  itimerspec spec{};
  if (exact != kNever) {
    const auto since_boot = std::max<Duration>(exact.time_since_epoch(), Duration{1});
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
    spec.it_value.tv_sec = whole.count();
    spec.it_value.tv_nsec = static_cast<long>((since_boot - whole).count());
  }
  timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &spec, nullptr);
}

void Loop::wait(std::vector<zmq_pollitem_t>& items, Time now, Time until, Time exact) {
  const std::size_t own = items.size();
  for (auto& [token, watch] : watches_) items.push_back(watch.item);
  items.push_back({nullptr, wake_fd_, ZMQ_POLLIN, 0});
  const Time next = std::min(until, next_timer());
  long timeout = 0;
  if (next > now && exact > now) {
    const Duration wait = std::min(next - now, kWaitMax);
    timeout = static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
    arm(exact);
    items.push_back({nullptr, timer_fd_, ZMQ_POLLIN, 0});
  }
  const int ready = zmq_poll(items.data(), static_cast<int>(items.size()), timeout);
  std::size_t at = own;
  for (auto& [token, watch] : watches_) watch.ready = ready > 0 ? items[at++].revents : short{0};
  if (ready > 0 && items[at].revents != 0) {
    drain(wake_fd_);
    awake_ = false;
  }
  if (ready > 0 && at + 1 < items.size() && items[at + 1].revents != 0) {
    drain(timer_fd_);
    armed_ = kNever;
  }
}

void Loop::dispatch(Time now) {
  run_watches();
  run_posts();
  run_timers(now);
}

void Loop::run_watches() {
  std::vector<std::pair<Token, short>> ready;
  for (auto& [token, watch] : watches_)
    if (watch.ready != 0) ready.emplace_back(token, std::exchange(watch.ready, short{0}));
  for (const auto& [token, events] : ready) {
    const auto found = watches_.find(token);  // an earlier one may have removed it
    if (found == watches_.end()) continue;
    const auto action = found->second.action;
    (*action)(events);
  }
}

void Loop::run_posts() {
  std::vector<Callback> posts;
  {
    const std::lock_guard lock(mutex_);
    posts.swap(posts_);
  }
  for (Callback& post : posts) post();
}

void Loop::run_timers(Time now) {
  // Only those due by now: a timer that its own action starts again waits for the next turn.
  std::vector<Token> due;
  for (auto it = due_.begin(); it != due_.end() && it->first <= now; ++it)
    due.push_back(it->second);
  for (const Token token : due) {
    const auto found = timers_.find(token);
    if (found == timers_.end()) continue;
    const Duration period = found->second.period;
    Callback action = std::move(found->second.action);
    cancel(token);
    if (period > Duration{}) {
      // After a stall the missed periods are not made up for.
      timers_[token] = {period, action, now + period};
      due_.emplace(now + period, token);
    }
    action();
  }
}

}  // namespace pastry::host
