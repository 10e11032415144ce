// What the parts of a Scribe have in common: settings, topics, the two timers.
//
// Everything that a message or a downcall causes is done by the flush that follows (a timer without
// delay): so what one step brings is sent in one go, and no downcall calls back.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "scribe/control.h"
#include "scribe/root_registry.h"
#include "scribe/topic.h"

namespace scribe {

inline constexpr std::uint64_t kFlushCookie = 1;
inline constexpr std::uint64_t kTickCookie = 2;

class Shared {
 public:
  Shared(const Settings& settings, RootRegistry* registry)
      : settings_(settings), registry_(registry) {}

  const Settings& settings() const { return settings_; }
  RootRegistry* registry() const { return registry_; }

  // --- Topics ---
  Topic* find(const Key& group);
  // nullptr if topics_max are there already.
  Topic* find_or_create(Context context, const Key& group);
  void erase(const Key& group) { topics_.erase(group); }
  std::map<Key, std::unique_ptr<Topic>>& topics() { return topics_; }
  const std::map<Key, std::unique_ptr<Topic>>& topics() const { return topics_; }
  // Of all topics: in their logs, and in publishes that wait for the root's epoch.
  std::uint64_t bytes = 0;
  void drop_waiting(Topic& topic);
  std::size_t claims = 0;  // asked of the registry, not answered yet
  Key group(std::string_view name) const;

  // --- Work ---
  // The next flush looks after this topic.
  void touch(Context context, Topic& topic);
  std::vector<Key> take_touched();
  void flush_soon(Context context);
  void flush_began() { flush_armed_ = false; }
  // The next tick comes after at most one short (else long) period.
  void tick_soon(Context context, bool busy);
  void tick_began() { tick_ = 0; }

  Duration heartbeat(Context context) const;
  Duration short_period(Context context) const;

  static void send(Context context, Handle to, const Control& message);

 private:
  const Settings& settings_;
  RootRegistry* registry_;
  std::map<Key, std::unique_ptr<Topic>> topics_;
  std::vector<Key> touched_;
  bool flush_armed_ = false;
  pastry::OperationId tick_ = 0;
  Time tick_at_{};
};

}  // namespace scribe
