// The turn of the loop: wait, timers, input, output.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "pastry/core/message_handles.h"
#include "pastry/zmq/clock.h"
#include "pastry/zmq/host_impl.h"

namespace pastry::host {

Time Host::Impl::read_clock() {
  now_ = std::max(now_, boot_time());
  return now_;
}

Time Host::Impl::next_deadline() const {
  if (!touched_.empty() || !deferred_.empty() || !completions_.empty() || !unreachable_.empty() ||
      !events_.empty())
    return Time::min();
  Time next = std::min(transport_->next_deadline(!inbox_.full()), next_collection_);
  for (const LocalNode& local : nodes_) {
    next = std::min(next, local.deadline);
    if (local.seeker) next = std::min(next, local.seeker->deadline());
  }
  return next;
}

void Host::Impl::advance_seekers() {
  for (LocalNode& local : nodes_) {
    if (!local.seeker) continue;
    // Who went on alone because nobody answered goes on asking, too: they may have been cut off.
    if (local.node->active() && !local.node->alone()) {
      local.seeker.reset();
    } else {
      local.seeker->advance(now_);
    }
  }
}

void Host::Impl::turn() {
  items_.clear();
  const bool reading = !inbox_.full();
  transport_->add_poll_items(items_);
  loop_->wait(items_, now_, next_deadline(), inbox_.deadline());

  const Time started = read_clock();
  if (const WallTime wall = wall_time(); wall != wall_) {
    wall_ = wall;
    for (LocalNode& local : nodes_) local.node->set_wall_time(wall);
  }
  advance_nodes();
  loop_->dispatch(now_);
  for (; !deferred_.empty(); deferred_.pop_front()) deferred_.front()();
  transport_->receive(reading, [this] { return read_clock(); });
  read_clock();
  deliver_due();
  take_completions();
  hand_on_hints();
  advance_seekers();
  flush_nodes();
  dispatch_events();
  transport_->flush(now_);
  transport_->tick(now_);
  if (now_ >= next_collection_) collect_directory();
  watch_duration(started);
}

void Host::Impl::watch_duration(Time started) {
  const Duration took = read_clock() - started;
  if (took <= options_.slow_step) return;
  ++counters_.slow_steps;
  spdlog::warn("a turn of the loop took {} ms",
               std::chrono::duration_cast<milliseconds>(took).count());
}

void Host::Impl::dispatch_events() {
  std::vector<std::pair<std::size_t, NodeEvent>> events = std::exchange(events_, {});
  for (const auto& [index, event] : events)
    for (const auto& listener : listeners_) listener(index, event);
}

void Host::Impl::collect_directory() {
  next_collection_ = now_ + options_.collection_period;
  directory_.begin_collection();
  const auto mark = [this](Handle handle) {
    if (handle != kNoHandle) directory_.mark(handle);
  };
  for (const LocalNode& local : nodes_) {
    mark(local.handle);
    local.node->mark_handles();
  }
  inbox_.for_each([&](const InboxMessage& queued) {
    mark(queued.from);
    for_each_handle(queued.message, mark);
  });
  transport_->mark_handles();
  const std::size_t forgotten = directory_.end_collection();
  transport_->forget_host_indices();
  // Processes may have other indices now, but whoever is told of the death of one stays the same.
  for (const std::vector<Contact>& contacts : std::exchange(contacts_, {})) {
    for (const Contact& contact : contacts) {
      if (directory_.valid(contact.peer))
        note_contact(contact.node, contact.peer, directory_.host_index(contact.peer));
    }
  }
  if (forgotten > 0) spdlog::debug("forgot {} peers", forgotten);
}

void Host::Impl::run() {
  now_ = boot_time();
  next_collection_ = now_ + options_.collection_period;
  while (!stopping_) turn();
  shut_down();
}

void Host::Impl::stop(bool leave) {
  leaving_ = leave;
  stopping_ = true;
  loop_->wake();
}

void Host::Impl::shut_down() {
  const Time started = read_clock();
  const Time deadline = started + options_.flush_max;
  if (leaving_) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].node->leave(now_, outbox_);
      carry_out(i);
    }
    dispatch_events();
  }
  do {
    transport_->flush(read_clock());
    transport_->tick(now_);
    if (transport_->drained()) break;
    items_.clear();
    transport_->add_poll_items(items_);
    loop_->wait(items_, now_, std::min(now_ + milliseconds(5), deadline), kNever);
    transport_->receive(false, [this] { return read_clock(); });
  } while (now_ < deadline);
  loop_->end();
  // What the workers were given is finished: it may have been acknowledged to nobody yet, but a
  // store must not be left in the middle of a batch.
  if (storage_) storage_->stop();
  if (digests_) digests_->stop();
  for (LocalNode& local : nodes_) local.seeker.reset();
  transport_->close(std::max<Duration>(deadline - read_clock(), {}));
}

}  // namespace pastry::host
