#include "scribe/walks.h"

#include <algorithm>
#include <utility>

namespace scribe {
namespace {

using pastry::ErrorCode;
using pastry::fail;
using std::chrono::milliseconds;

constexpr Duration kQueryTimeout = std::chrono::seconds(10);
constexpr Duration kWalkTimeout = std::chrono::seconds(8);
// What each level keeps for its own answer.
constexpr Duration kLevelMargin = milliseconds(400);
constexpr int kDepthMax = 64;

TreeMember describe(Context context, const Topic& topic) {
  TreeMember member;
  member.id = context.self_id();
  member.parent = topic.parent == kNoHandle ? context.self_id() : context.id(topic.parent);
  member.children = static_cast<std::uint32_t>(topic.children.size());
  member.subscribers = static_cast<std::uint32_t>(topic.locals.size());
  member.head = topic.head;
  member.received = topic.received;
  member.lost = topic.lost;
  return member;
}

}  // namespace

void Walks::collect(Context context, const Key& group, TreeCallback done) {
  std::uint64_t token = context.random().next();
  while (queries_.contains(token)) ++token;
  const bool refused = queries_.size() >= shared_.settings().walks_max;
  // A refusal comes through the tick like every other answer that is not a tree.
  queries_[token] = {group, std::move(done),
                     refused ? context.now() : context.now() + kQueryTimeout};
  shared_.tick_soon(context, true);
  if (!refused) static_cast<void>(context.route(group, encode_control(TreeQuery{group, token})));
}

void Walks::answered(Context context, const TreeAnswer& answer) {
  const auto found = queries_.find(answer.token);
  if (found == queries_.end()) return;
  const Query query = std::move(found->second);
  queries_.erase(found);
  if (!answer.found) {
    query.done(context, fail(ErrorCode::not_found, "nobody has subscribed to this topic"));
  } else {
    query.done(context, Tree{query.group, answer.members, answer.truncated});
  }
}

void Walks::query(Context context, Handle from, const TreeQuery& query) {
  const Topic* topic = shared_.find(query.group);
  if (topic == nullptr) {
    Shared::send(context, from, TreeAnswer{query.token, false, {}, false});
    return;
  }
  Walk walk;
  walk.to = from;
  walk.token = query.token;
  begin(context, std::move(walk), query.group, kDepthMax, kWalkTimeout);
}

void Walks::walk(Context context, const pastry::Incoming& message, const TreeWalk& walk) {
  Walk mine;
  mine.to = message.from;
  mine.request = message.request;
  begin(context, std::move(mine), walk.group, std::min<int>(walk.depth, kDepthMax),
        std::min<Duration>(milliseconds(walk.timeout_ms), kWalkTimeout));
}

void Walks::begin(Context context, Walk walk, const Key& group, int depth, Duration timeout) {
  const Topic* topic = shared_.find(group);
  walk.answer.token = walk.token;
  walk.answer.found = topic != nullptr;
  const bool may_ask =
      depth > 0 && timeout > kLevelMargin && walks_.size() < shared_.settings().walks_max;
  const std::uint64_t number = next_walk_++;
  if (topic != nullptr) {
    walk.answer.members.push_back(describe(context, *topic));
    walk.answer.truncated = !may_ask && !topic->children.empty();
    const Duration rest = timeout - kLevelMargin;
    const TreeWalk ask{group, static_cast<std::uint8_t>(std::max(depth - 1, 0)),
                       static_cast<std::uint32_t>(rest / milliseconds(1))};
    for (const auto& [handle, child] : topic->children) {
      if (!may_ask || !child.accepted) continue;
      const auto request = context.request(handle, encode_control(ask), rest);
      if (request) {
        requests_[*request] = number;
        ++walk.open;
      } else {
        walk.answer.truncated = true;
      }
    }
  }
  if (walk.open == 0) {
    finish(context, walk);
  } else {
    walks_.emplace(number, std::move(walk));
  }
}

void Walks::replied(Context context, pastry::OperationId operation, const Result<Payload>& answer) {
  const auto request = requests_.find(operation);
  if (request == requests_.end()) return;
  const auto found = walks_.find(request->second);
  requests_.erase(request);
  if (found == walks_.end()) return;
  Walk& walk = found->second;
  const Result<Control> control =
      answer ? decode_control(answer->view()) : Result<Control>(fail(answer.error().code, ""));
  const TreeAnswer* part = control ? std::get_if<TreeAnswer>(&*control) : nullptr;
  if (part == nullptr || !part->found) {
    walk.answer.truncated = true;
  } else {
    walk.answer.truncated = walk.answer.truncated || part->truncated;
    for (TreeMember member : part->members) {
      if (walk.answer.members.size() >= shared_.settings().walk_members_max) {
        walk.answer.truncated = true;
        break;
      }
      ++member.depth;
      walk.answer.members.push_back(member);
    }
  }
  if (--walk.open > 0) return;
  const Walk done = std::move(walk);
  walks_.erase(found);
  finish(context, done);
}

void Walks::finish(Context context, const Walk& walk) {
  if (walk.request == 0) {
    Shared::send(context, walk.to, walk.answer);
  } else {
    static_cast<void>(context.reply(walk.to, walk.request, encode_control(walk.answer)));
  }
}

void Walks::mark_handles(pastry::Directory& directory) const {
  for (const auto& [number, walk] : walks_) directory.mark(walk.to);
}

void Walks::tick(Context context) {
  std::vector<TreeCallback> late;
  std::erase_if(queries_, [&](auto& entry) {
    if (entry.second.deadline > context.now()) return false;
    late.push_back(std::move(entry.second.done));
    return true;
  });
  for (const TreeCallback& done : late) {
    done(context, fail(ErrorCode::timed_out, "the tree's nodes did not answer in time"));
  }
  if (!queries_.empty()) shared_.tick_soon(context, true);
}

}  // namespace scribe
