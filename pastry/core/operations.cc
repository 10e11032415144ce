#include "pastry/core/operations.h"

#include <algorithm>

#include "pastry/core/marks.h"
#include "pastry/core/node_state.h"

namespace pastry {

namespace {
std::uint32_t low(OperationId id) { return static_cast<std::uint32_t>(id); }
}  // namespace

Operations::Tables& Operations::tables() {
  if (!tables_) tables_ = std::make_unique<Tables>();
  return *tables_;
}

bool Operations::add(const Pending& pending, std::size_t pending_max) {
  Tables& t = tables();
  if (t.pending.size() >= pending_max) return false;
  t.pending[low(pending.id)] = pending;
  if (t.expiries.size() > 2 * t.pending.size() + 1024) drop_ended_expiries();
  t.expiries.push_back({pending.deadline, pending.id});
  std::push_heap(t.expiries.begin(), t.expiries.end(), std::greater<>());
  return true;
}

bool Operations::take(std::uint32_t id_low, Pending& pending) {
  if (!tables_) return false;
  const auto found = tables_->pending.find(id_low);
  if (found == tables_->pending.end()) return false;
  pending = found->second;
  tables_->pending.erase(found);
  return true;
}

const Operations::Pending* Operations::find(std::uint32_t id_low) const {
  if (!tables_) return nullptr;
  const auto found = tables_->pending.find(id_low);
  return found == tables_->pending.end() ? nullptr : &found->second;
}

OperationId Operations::set_timer(Time at, ApplicationId application, std::uint64_t cookie) {
  const OperationId id = next_id();
  Tables& t = tables();
  t.timers.push_back({at, id, application, cookie});
  std::push_heap(t.timers.begin(), t.timers.end(), std::greater<>());
  return id;
}

void Operations::cancel_timer(OperationId timer) {
  if (!tables_) return;
  auto& timers = tables_->timers;
  const auto found =
      std::find_if(timers.begin(), timers.end(), [timer](const Timer& t) { return t.id == timer; });
  if (found == timers.end()) return;
  timers.erase(found);
  std::make_heap(timers.begin(), timers.end(), std::greater<>());
}

Time Operations::deadline() const {
  if (!tables_) return kNever;
  const Time timer = tables_->timers.empty() ? kNever : tables_->timers.front().at;
  const Time expiry = tables_->expiries.empty() ? kNever : tables_->expiries.front().at;
  return std::min(timer, expiry);
}

void Operations::advance(NodeState& node, Step& step) {
  if (!tables_) return;
  run_timers(node, step);
  expire(node, step);
}

void Operations::drop_ended_expiries() {
  auto& expiries = tables_->expiries;
  std::erase_if(expiries, [this](const Expiry& expiry) {
    const Pending* pending = find(low(expiry.id));
    return pending == nullptr || pending->id != expiry.id;
  });
  std::make_heap(expiries.begin(), expiries.end(), std::greater<>());
}

void Operations::run_timers(NodeState& node, Step& step) {
  // Timers set by these upcalls for now or earlier wait for the next advance, so this ends.
  const OperationId last = last_id_;
  std::vector<Timer> due;
  auto& timers = tables_->timers;
  while (!timers.empty() && timers.front().at <= step.now && timers.front().id <= last) {
    std::pop_heap(timers.begin(), timers.end(), std::greater<>());
    due.push_back(timers.back());
    timers.pop_back();
  }
  for (const Timer& timer : due) {
    if (Application* application = node.application(timer.application)) {
      application->timer(node.context(step, timer.application), timer.cookie);
    }
  }
}

void Operations::expire(NodeState& node, Step& step) {
  auto& expiries = tables_->expiries;
  while (!expiries.empty() && expiries.front().at <= step.now) {
    std::pop_heap(expiries.begin(), expiries.end(), std::greater<>());
    const OperationId id = expiries.back().id;
    expiries.pop_back();
    const Pending* found = find(low(id));
    if (found == nullptr || found->id != id) continue;
    Pending pending;
    take(low(id), pending);
    note(*node.config, Mark::operation_timed_out);
    end(node, step, pending, ErrorCode::timed_out, "no answer before the deadline");
  }
}

void Operations::peer_gone(NodeState& node, Step& step, Handle peer) {
  if (!tables_) return;
  std::vector<OperationId> ended;
  for (const auto& [key, pending] : tables_->pending) {
    if (pending.kind == Kind::request && pending.peer == peer) ended.push_back(pending.id);
  }
  std::sort(ended.begin(), ended.end());
  for (const OperationId id : ended) {
    Pending pending;
    if (take(low(id), pending)) {
      note(*node.config, Mark::asked_peer_died);
      end(node, step, pending, ErrorCode::unavailable, "the peer was declared dead");
    }
  }
}

void Operations::mark_handles(Directory& directory) const {
  if (!tables_) return;
  for (const auto& [key, pending] : tables_->pending) {
    if (pending.peer != kNoHandle) directory.mark(pending.peer);
  }
}

void Operations::end(NodeState& node, Step& step, const Pending& pending, ErrorCode code,
                     const char* reason) {
  Application* application = node.application(pending.application);
  if (application == nullptr) return;
  const Context context = node.context(step, pending.application);
  if (pending.kind == Kind::route) {
    application->route_outcome(context, pending.id, {RouteResult::timed_out, kNoHandle, 0});
  } else {
    application->replied(context, pending.id, fail(code, reason));
  }
}

}  // namespace pastry
