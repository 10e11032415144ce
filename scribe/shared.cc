#include "scribe/shared.h"

#include <algorithm>

namespace scribe {

using std::chrono::milliseconds;

Topic* Shared::find(const Key& group) {
  const auto found = topics_.find(group);
  return found == topics_.end() ? nullptr : found->second.get();
}

Topic* Shared::find_or_create(Context context, const Key& group) {
  if (Topic* topic = find(group)) return topic;
  if (topics_.size() >= settings_.topics_max) return nullptr;
  auto topic = std::make_unique<Topic>(group);
  topic->traffic = context.now();
  topic->join_at = context.now();
  // From the clock, so that numbers of an earlier stay in the tree do not look newer.
  topic->join_number = static_cast<std::uint32_t>(
      std::chrono::duration_cast<milliseconds>(context.now().time_since_epoch()).count());
  tick_soon(context, true);
  return topics_.emplace(group, std::move(topic)).first->second.get();
}

Key Shared::group(std::string_view name) const {
  const auto bytes_of = [](std::string_view text) {
    return pastry::ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  };
  // The length of the overlay's name keeps ("ab", "c") and ("a", "bc") apart.
  const std::uint8_t length = static_cast<std::uint8_t>(settings_.overlay.size());
  const pastry::ByteView parts[] = {pastry::ByteView(&length, 1), bytes_of(settings_.overlay),
                                    bytes_of(name)};
  const pastry::Digest digest = settings_.hash->digest(parts);
  std::uint64_t words[2] = {0, 0};
  for (std::size_t i = 0; i < 16; ++i) words[i / 8] = words[i / 8] << 8 | digest[i];
  return {words[0], words[1]};
}

void Shared::touch(Context context, Topic& topic) {
  if (!topic.dirty) {
    topic.dirty = true;
    touched_.push_back(topic.group);
  }
  flush_soon(context);
}

void Shared::drop_waiting(Topic& topic) {
  for (const WaitingPublish& waiting : topic.waiting) bytes -= waiting.payload.size();
  topic.waiting.clear();
  topic.waiting.shrink_to_fit();
}

std::vector<Key> Shared::take_touched() { return std::exchange(touched_, {}); }

void Shared::flush_soon(Context context) {
  if (flush_armed_) return;
  flush_armed_ = true;
  context.set_timer(Duration::zero(), kFlushCookie);
}

void Shared::tick_soon(Context context, bool busy) {
  const Duration delay = busy ? short_period(context) : heartbeat(context) / 2;
  const Time at = context.now() + delay;
  if (tick_ != 0) {
    if (tick_at_ <= at) return;
    context.cancel_timer(tick_);
  }
  tick_ = context.set_timer(delay, kTickCookie);
  tick_at_ = at;
}

Duration Shared::heartbeat(Context context) const {
  return settings_.heartbeat_period > Duration::zero() ? settings_.heartbeat_period
                                                       : context.config().heartbeat_period / 2;
}

Duration Shared::short_period(Context context) const {
  return std::min<Duration>(heartbeat(context) / 4, milliseconds(125));
}

void Shared::send(Context context, Handle to, const Control& message) {
  // Never too large: the codec bounds paths and members. A lost one is repeated by its protocol.
  static_cast<void>(context.send(to, encode_control(message)));
}

}  // namespace scribe
