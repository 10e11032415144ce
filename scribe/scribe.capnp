@0xd3b1c5f0a7e94c26;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("scribe::schema");

# The messages of SCRIBE between two nodes, as payloads of the common API.
#
# Byte 0 of a payload is its kind, byte 1 the version of this specification (2; version 1 had
# acknowledgements without the second position, and no refusal of a position). Kinds 1 to 5 are
# stream frames: fixed little-endian layouts, because they are on the path of every message and go
# down the tree unchanged. Kind 16 is a control message: six zero bytes, then one unpacked Cap'n
# Proto message with `Control` as root. Whoever receives something else, or something out of bounds,
# drops it.
#
# Stream frames. u8, u16, u32, u64: unsigned little-endian. id: two u64, the more significant first.
#
#   Bodies (part of segment and publish): u32 size of each of `count` messages, then the messages.
#
#   1 segment, root → … → subscribers: u8 kind, u8 version, u16 count (≥ 1), u32 zero,
#     id group, u64 epoch, u64 offset of the first message, u64 previous epoch, u64 previous offset
#     (position of the message before the first one; 0, 0 if there was none; offset 0: whatever was
#     given out in that epoch is not to be had), id publisher,
#     u64 session, u64 sequence number of the first message, Bodies.
#     The messages have consecutive offsets and consecutive sequence numbers.
#   2 acknowledgements, child → parent: u8 kind, u8 version, u16 count, u32 zero, then `count` times:
#     id group, u64 epoch, u64 offset (the last message received without a hole), u64 epoch,
#     u64 offset (the highest that it or anybody below it has), u32 messages and u32 bytes that the
#     child takes beyond the first, u32 fingerprint of the path it knows, u32 flags (1: something is
#     missing, send again from there; 2: it has children of its own).
#     Cumulative; doubles as the child's heartbeat.
#   3 publish, publisher → root: u8 kind, u8 version, u16 count (0: only asks for an
#     acknowledgement), u16 length of the topic's name (0: not given), u16 zero, id group,
#     u64 session, u64 sequence number of the first message, u64 base (the last sequence number that
#     needs no further care), name, Bodies.
#   4 publish acknowledgement, root → publisher: u8 kind, u8 version, u16 zero, u32 flags (1: a
#     message before these is missing, send again from received + 1; 2: not the root, forget this
#     node), id group, u64 session, u64 received (last sequence number accepted), u64 acknowledged
#     (last one that all children of the root have).
#   5 heartbeats, parent → child: u8 kind, u8 version, u16 count, u32 zero, then `count` times:
#     id group, u64 epoch, u64 offset, u32 fingerprint of the path to give to this child, u32 flags
#     (1: attached; 2: what lies before the position is no longer to be had, go on from there).

struct Id {
  high @0 :UInt64;
  low @1 :UInt64;
}

struct Position {
  epoch @0 :UInt64;
  offset @1 :UInt64;
}

struct Control {
  union {
    join @0 :Join;
    joinAccepted @1 :JoinAccepted;
    joinRefused @2 :JoinRefused;
    leave @3 :Id;
    # Child to former parent: no longer send this topic.
    detach @4 :Id;
    # Parent to child: not your parent (any more), join again.
    path @5 :Path;
    treeQuery @6 :TreeQuery;
    treeAnswer @7 :TreeAnswer;
    treeWalk @8 :TreeWalk;
  }
}

# Routed towards the group; taken by the first node on the route.
struct Join {
  group @0 :Id;
  name @1 :Text;
  # At most 255 bytes; hash(overlay, name) = group.
  number @2 :UInt32;
  # Chosen by the child, echoed by the answer.
  hasPosition @3 :Bool;
  position @4 :Position;
  # The last message that the child has: send what follows.
}

# Only sent once the parent's own path to the root is confirmed.
struct JoinAccepted {
  group @0 :Id;
  number @1 :UInt32;
  path @2 :List(Id);
  # From the root to the parent, at most 64; a child that finds itself in it does not attach.
  start @3 :Position;
  # A child without position begins after this one; offset 0: before the epoch's first message.
}

struct JoinRefused {
  group @0 :Id;
  number @1 :UInt32;
  reason @2 :Reason;
  enum Reason {
    loop @0;
    # The child is on the path from the root to the refusing node.
    full @1;
    invalid @2;
    position @3;
    # The child's position is none that the topic's roots can have given out; it begins anew.
  }
}

# The parent's path changed.
struct Path {
  group @0 :Id;
  path @1 :List(Id);
}

# Routed to the root: describe the tree to the sender.
struct TreeQuery {
  group @0 :Id;
  token @1 :UInt64;
}

struct TreeAnswer {
  token @0 :UInt64;
  found @1 :Bool;
  members @2 :List(TreeMember);
  truncated @3 :Bool;
}

# A request to a child, answered with a TreeAnswer about its subtree (token 0).
struct TreeWalk {
  group @0 :Id;
  depth @1 :UInt8;
  # Levels that may still be asked.
  timeoutMs @2 :UInt32;
}

struct TreeMember {
  id @0 :Id;
  parent @1 :Id;
  depth @2 :UInt32;
  # Below the node that answers.
  children @3 :UInt32;
  subscribers @4 :UInt32;
  head @5 :Position;
  received @6 :UInt64;
  lost @7 :UInt64;
}

# What the replica layer keeps of a topic, as a record whose name is the group's 16 bytes followed by
# the ASCII characters "scribe root v1" and two zero bytes.
struct RootState {
  topic @0 :Text;
  # Empty if the root never learnt it.
  creator @1 :Id;
  # The node that was the first root.
  position @2 :Position;
  # Epoch of the present root, and an offset that was given out before it.
}
