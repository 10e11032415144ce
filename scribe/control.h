// The control messages and the root's record as values, and their codec (specification:
// scribe.capnp).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/core/id.h"
#include "pastry/core/payload.h"
#include "scribe/position.h"
#include "scribe/root_registry.h"
#include "scribe/scribe.h"

namespace scribe {

inline constexpr std::size_t kPathMax = 64;
inline constexpr std::size_t kTreeMembersMax = 500;

struct Join {
  Key group;
  std::string name;
  std::uint32_t number = 0;
  bool has_position = false;
  Position position;
};

struct JoinAccepted {
  Key group;
  std::uint32_t number = 0;
  std::vector<NodeId> path;
  Position start;
};

enum class JoinRefusal : std::uint8_t { loop, full, invalid, position };

struct JoinRefused {
  Key group;
  std::uint32_t number = 0;
  JoinRefusal reason = JoinRefusal::loop;
};

struct Leave {
  Key group;
};

struct Detach {
  Key group;
};

struct PathChanged {
  Key group;
  std::vector<NodeId> path;
};

struct TreeQuery {
  Key group;
  std::uint64_t token = 0;
};

struct TreeAnswer {
  std::uint64_t token = 0;
  bool found = false;
  std::vector<TreeMember> members;
  bool truncated = false;
};

struct TreeWalk {
  Key group;
  std::uint8_t depth = 0;
  std::uint32_t timeout_ms = 0;
};

using Control = std::variant<Join, JoinAccepted, JoinRefused, Leave, Detach, PathChanged, TreeQuery,
                             TreeAnswer, TreeWalk>;

Payload encode_control(const Control& message);
// Checks every bound; the payload's kind is FrameKind::control.
Result<Control> decode_control(pastry::ByteView payload);

// The state of a root as the replica layer keeps it (RootState).
pastry::Bytes encode_root_record(const RootRecord& record);
Result<RootRecord> decode_root_record(pastry::ByteView bytes);

}  // namespace scribe
