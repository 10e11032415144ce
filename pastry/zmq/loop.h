// The parts of an event loop that have nothing to do with nodes: posts, timers, watches, waiting.
#pragma once

#include <zmq.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/core/timestamp.h"

namespace pastry::host {

class Loop {
 public:
  using Callback = std::function<void()>;
  using Token = std::uint64_t;

  // Error: failed (no descriptors).
  static Result<std::unique_ptr<Loop>> open(std::size_t posts_max);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // --- Any thread ---
  bool post(Callback action);
  // Makes wait() return.
  void wake();
  // Refuses further posts.
  void end();

  // --- The loop's thread ---
  Token watch(zmq_pollitem_t item, std::function<void(short)> action);
  void unwatch(Token token) { watches_.erase(token); }
  Token at(Time when, Duration period, Callback action);
  void cancel(Token token);
  Time next_timer() const { return due_.empty() ? kNever : due_.begin()->first; }

  // Waits for any of `items`, the watches, a wake-up or `until`; with `exact` not a millisecond
  // longer.
  void wait(std::vector<zmq_pollitem_t>& items, Time now, Time until, Time exact);
  // Runs what wait() found ready, what was posted, and the timers due.
  void dispatch(Time now);

 private:
  struct Timer {
    Duration period;
    Callback action;
    Time when;
  };
  struct Watch {
    zmq_pollitem_t item;
    std::shared_ptr<std::function<void(short)>> action;
    short ready = 0;
  };

  Loop(int wake_fd, int timer_fd, std::size_t posts_max)
      : wake_fd_(wake_fd), timer_fd_(timer_fd), posts_max_(posts_max) {}
  void arm(Time exact);
  void run_posts();
  void run_timers(Time now);
  void run_watches();

  int wake_fd_;
  int timer_fd_;
  std::size_t posts_max_;
  std::atomic<bool> awake_{false};
  std::mutex mutex_;
  std::vector<Callback> posts_;
  bool ended_ = false;

  Token last_token_ = 0;
  Time armed_ = kNever;
  std::map<Token, Watch> watches_;
  std::map<Token, Timer> timers_;
  std::multimap<Time, Token> due_;
};

}  // namespace pastry::host
