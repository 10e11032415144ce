#include "scribe/control.h"

#include "scribe/capnp_message.h"
#include "scribe/frames.h"
#include "scribe/schema.h"

namespace scribe {
namespace {

using pastry::Bytes;
using pastry::ErrorCode;
using pastry::fail;

constexpr std::size_t kPrefix = 8;

void set(schema::Id::Builder to, const pastry::Id& id) {
  to.setHigh(id.high());
  to.setLow(id.low());
}

void set(schema::Position::Builder to, const Position& position) {
  to.setEpoch(position.epoch);
  to.setOffset(position.offset);
}

void set(capnp::List<schema::Id>::Builder to, const std::vector<NodeId>& path) {
  for (unsigned i = 0; i < path.size(); ++i) set(to[i], path[i]);
}

pastry::Id value(schema::Id::Reader id) { return {id.getHigh(), id.getLow()}; }
Position value(schema::Position::Reader position) {
  return {position.getEpoch(), position.getOffset()};
}

bool read_path(capnp::List<schema::Id>::Reader list, std::vector<NodeId>& path) {
  if (list.size() > kPathMax) return false;
  path.reserve(list.size());
  for (const auto id : list) path.push_back(value(id));
  return true;
}

struct Writer {
  schema::Control::Builder root;

  void operator()(const Join& join) {
    auto to = root.initJoin();
    set(to.initGroup(), join.group);
    to.setName(join.name);
    to.setNumber(join.number);
    to.setHasPosition(join.has_position);
    set(to.initPosition(), join.position);
  }
  void operator()(const JoinAccepted& accepted) {
    auto to = root.initJoinAccepted();
    set(to.initGroup(), accepted.group);
    to.setNumber(accepted.number);
    set(to.initPath(static_cast<unsigned>(accepted.path.size())), accepted.path);
    set(to.initStart(), accepted.start);
  }
  void operator()(const JoinRefused& refused) {
    auto to = root.initJoinRefused();
    set(to.initGroup(), refused.group);
    to.setNumber(refused.number);
    to.setReason(static_cast<schema::JoinRefused::Reason>(refused.reason));
  }
  void operator()(const Leave& leave) { set(root.initLeave(), leave.group); }
  void operator()(const Detach& detach) { set(root.initDetach(), detach.group); }
  void operator()(const PathChanged& changed) {
    auto to = root.initPath();
    set(to.initGroup(), changed.group);
    set(to.initPath(static_cast<unsigned>(changed.path.size())), changed.path);
  }
  void operator()(const TreeQuery& query) {
    auto to = root.initTreeQuery();
    set(to.initGroup(), query.group);
    to.setToken(query.token);
  }
  void operator()(const TreeAnswer& answer) {
    auto to = root.initTreeAnswer();
    to.setToken(answer.token);
    to.setFound(answer.found);
    to.setTruncated(answer.truncated);
    auto list = to.initMembers(static_cast<unsigned>(answer.members.size()));
    for (unsigned i = 0; i < answer.members.size(); ++i) {
      const TreeMember& member = answer.members[i];
      set(list[i].initId(), member.id);
      set(list[i].initParent(), member.parent);
      list[i].setDepth(member.depth);
      list[i].setChildren(member.children);
      list[i].setSubscribers(member.subscribers);
      set(list[i].initHead(), member.head);
      list[i].setReceived(member.received);
      list[i].setLost(member.lost);
    }
  }
  void operator()(const TreeWalk& walk) {
    auto to = root.initTreeWalk();
    set(to.initGroup(), walk.group);
    to.setDepth(walk.depth);
    to.setTimeoutMs(walk.timeout_ms);
  }
};

// Upper bound on the words that a message takes, so that it fits one segment.
std::size_t words_for(const Control& message) {
  std::size_t words = 64 + (kTopicNameMax + 1) / 8;
  if (const auto* accepted = std::get_if<JoinAccepted>(&message)) {
    words += 2 * accepted->path.size();
  } else if (const auto* changed = std::get_if<PathChanged>(&message)) {
    words += 2 * changed->path.size();
  } else if (const auto* answer = std::get_if<TreeAnswer>(&message)) {
    words += 16 * answer->members.size();
  }
  return words;
}

auto malformed() { return fail(ErrorCode::invalid, "malformed control message"); }

Result<Control> read_join(schema::Join::Reader from) {
  const auto name = from.getName();
  if (name.size() > kTopicNameMax) return malformed();
  return Join{value(from.getGroup()), std::string(name.begin(), name.size()), from.getNumber(),
              from.getHasPosition(), value(from.getPosition())};
}

Result<Control> read_tree_answer(schema::TreeAnswer::Reader from) {
  const auto list = from.getMembers();
  if (list.size() > kTreeMembersMax) return malformed();
  TreeAnswer answer{from.getToken(), from.getFound(), {}, from.getTruncated()};
  answer.members.reserve(list.size());
  for (const auto member : list) {
    answer.members.push_back({value(member.getId()), value(member.getParent()), member.getDepth(),
                              member.getChildren(), member.getSubscribers(),
                              value(member.getHead()), member.getReceived(), member.getLost()});
  }
  return answer;
}

Result<Control> read_refused(schema::JoinRefused::Reader from) {
  const auto reason = from.getReason();
  if (reason > schema::JoinRefused::Reason::POSITION) return malformed();
  return JoinRefused{value(from.getGroup()), from.getNumber(), static_cast<JoinRefusal>(reason)};
}

Result<Control> read_control(schema::Control::Reader from) {
  switch (from.which()) {
    case schema::Control::JOIN:
      return read_join(from.getJoin());
    case schema::Control::JOIN_ACCEPTED: {
      const auto accepted = from.getJoinAccepted();
      JoinAccepted result{
          value(accepted.getGroup()), accepted.getNumber(), {}, value(accepted.getStart())};
      const bool sane = room_above(result.start);
      if (!sane || !read_path(accepted.getPath(), result.path)) return malformed();
      return result;
    }
    case schema::Control::JOIN_REFUSED:
      return read_refused(from.getJoinRefused());
    case schema::Control::LEAVE:
      return Leave{value(from.getLeave())};
    case schema::Control::DETACH:
      return Detach{value(from.getDetach())};
    case schema::Control::PATH: {
      PathChanged result{value(from.getPath().getGroup()), {}};
      if (!read_path(from.getPath().getPath(), result.path)) return malformed();
      return result;
    }
    case schema::Control::TREE_QUERY:
      return TreeQuery{value(from.getTreeQuery().getGroup()), from.getTreeQuery().getToken()};
    case schema::Control::TREE_ANSWER:
      return read_tree_answer(from.getTreeAnswer());
    case schema::Control::TREE_WALK: {
      const auto walk = from.getTreeWalk();
      return TreeWalk{value(walk.getGroup()), walk.getDepth(), walk.getTimeoutMs()};
    }
  }
  return malformed();
}

Result<RootRecord> read_root_record(schema::RootState::Reader from) {
  const auto topic = from.getTopic();
  const Position position = value(from.getPosition());
  if (topic.size() > kTopicNameMax || !room_above(position)) return malformed();
  return RootRecord{std::string(topic.begin(), topic.size()), value(from.getCreator()), position};
}

}  // namespace

Payload encode_control(const Control& message) {
  capnp::MallocMessageBuilder builder(static_cast<unsigned>(words_for(message)));
  std::visit(Writer{builder.initRoot<schema::Control>()}, message);
  Bytes frame(kPrefix);
  frame[0] = static_cast<std::uint8_t>(FrameKind::control);
  frame[1] = kFrameVersion;
  append_message(builder, frame);
  return Payload(std::move(frame));
}

Result<Control> decode_control(pastry::ByteView payload) {
  if (payload.size() < kPrefix) return malformed();
  return read_message<schema::Control>(payload.subspan(kPrefix), read_control);
}

Bytes encode_root_record(const RootRecord& record) {
  capnp::MallocMessageBuilder builder(64 + (kTopicNameMax + 1) / 8);
  auto to = builder.initRoot<schema::RootState>();
  to.setTopic(record.topic);
  set(to.initCreator(), record.creator);
  set(to.initPosition(), record.position);
  Bytes bytes;
  append_message(builder, bytes);
  return bytes;
}

Result<RootRecord> decode_root_record(pastry::ByteView bytes) {
  return read_message<schema::RootState>(bytes, read_root_record);
}

}  // namespace scribe
