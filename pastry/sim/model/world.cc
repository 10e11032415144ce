#include "pastry/sim/model/world.h"

#include <algorithm>

#include "pastry/sim/message_visit.h"

namespace pastry::sim::model {

std::uint64_t digest_of(Handle from, const Message& message) {
  TraceHash hash;
  hash.add(std::uint64_t{pastry::index(from)});
  add_message(hash, message);
  return hash.value();
}

std::size_t Frame::node_of(Handle handle) const {
  for (std::size_t i = 0; i < handles.size(); ++i) {
    if (directory.id(handles[i]) == directory.id(handle)) return i;
  }
  return handles.size();
}

World::World(Frame& frame)
    : frame_(&frame), nodes_(frame.nodes()), channels_(kNodesMax * kNodesMax) {}

template <typename Action>
void World::step(std::size_t index, std::uint64_t input, Action&& action) {
  auto held = std::make_shared<Held>();
  held->node = std::make_unique<Node>(*nodes_[index]->node);
  Outbox out;
  action(*held->node, out);
  held->node->flush(now_, out);
  TraceHash history;
  history.add(nodes_[index]->digest);
  history.add(input);
  history.add(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  held->digest = history.value();
  held->active = held->node->active();
  for (std::size_t i = 0; i < frame_->probes.size(); ++i) {
    if (held->node->delivers(frame_->probes[i])) held->delivers |= std::uint64_t{1} << i;
  }
  nodes_[index] = std::move(held);
  for (Send& send : out.sends) {
    const std::size_t to = frame_->node_of(send.to);
    if (to == index || !runs(to)) continue;
    const std::uint64_t sum = digest_of(frame_->handles[index], send.message);
    channel(index, to).push_back(
        {std::make_shared<const Message>(std::move(send.message)), frame_->handles[index], sum});
  }
}

void World::start(std::size_t node) {
  auto held = std::make_shared<Held>();
  held->node =
      std::make_unique<Node>(frame_->config, frame_->directory, frame_->handles[node], 1 + node);
  nodes_[node] = std::move(held);
}

void World::found(std::size_t node) {
  start(node);
  step(node, 1, [&](Node& copy, Outbox& out) { copy.found(now_, out); });
}

void World::join(std::size_t node, const std::vector<Handle>& seeds, bool remembered) {
  start(node);
  step(node, 2, [&](Node& copy, Outbox& out) { copy.join(now_, seeds, remembered, out); });
}

void World::crash(std::size_t node) {
  nodes_[node] = nullptr;
  for (std::size_t from = 0; from < frame_->nodes(); ++from) channel(from, node).clear();
}

std::uint64_t World::deliveries() const {
  std::uint64_t set = 0;
  for (std::size_t from = 0; from < frame_->nodes(); ++from) {
    for (std::size_t to = 0; to < frame_->nodes(); ++to) {
      if (!channel(from, to).empty()) set |= Choice::deliver(from, to).bit();
    }
  }
  return set;
}

void World::take(Choice choice) {
  if (choice.is_tick()) {
    tick();
  } else if (choice.is_delivery()) {
    deliver(choice.from(), choice.node());
  } else {
    crash(choice.node());
  }
}

void World::deliver(std::size_t from, std::size_t to) {
  Channel& way = channel(from, to);
  const Letter letter = std::move(way.front());
  way.erase(way.begin());
  step(to, letter.digest, [&](Node& copy, Outbox& out) {
    copy.receive(now_, letter.from, Message(*letter.message), out);
  });
}

// All whose deadline is the earliest: their order makes no difference.
void World::tick() {
  Time earliest = kNever;
  for (std::size_t i = 0; i < frame_->nodes(); ++i) {
    if (runs(i)) earliest = std::min(earliest, node(i).next_deadline());
  }
  if (earliest == kNever) return;
  const bool later = earliest > now_;
  now_ = std::max(now_, earliest);
  for (std::size_t i = 0; i < frame_->nodes(); ++i) {
    if (!runs(i)) continue;
    const bool due = node(i).next_deadline() <= now_;
    if (!due && !later) continue;
    // Who is not due takes no step, but what it would deliver and its digest depend on the time.
    step(i, 3, [&](Node& copy, Outbox& out) {
      if (due) copy.advance(now_, out);
    });
  }
}

std::string World::describe(Choice choice) const {
  const auto name = [](std::size_t node) { return "n" + std::to_string(node); };
  if (choice.is_tick()) return "time passes";
  if (!choice.is_delivery()) return name(choice.node()) + " crashes";
  const Channel& way = channel(choice.from(), choice.node());
  return name(choice.node()) + " receives " +
         std::string(way.empty() ? "nothing" : message_kind(*way.front().message)) + " from " +
         name(choice.from());
}

std::uint64_t World::hash() const {
  TraceHash hash;
  for (std::size_t i = 0; i < frame_->nodes(); ++i) hash.add(runs(i) ? nodes_[i]->digest : 0);
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (channels_[i].empty()) continue;
    hash.add((std::uint64_t{i} << 32) | channels_[i].size());
    for (const Letter& letter : channels_[i]) {
      hash.add(letter.digest);
    }
  }
  return hash.value();
}

}  // namespace pastry::sim::model
