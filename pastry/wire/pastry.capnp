# The Pastry overlay protocol, version 1. This file is its specification.
#
# FRAMES
#
# A message travels as one or two frames (parts of one ZeroMQ message, or whatever delivers byte
# strings whole):
#
#   1. the header frame: an Envelope, as an unpacked Cap'n Proto message of exactly one segment,
#      segment table included (8 bytes: 0, then the size in 8-byte words, both little-endian UInt32);
#   2. the payload frame, only if the message is Routed or Direct (or a Relay of one) and has a
#      payload: bytes that no hop interprets. Its size stands in the header; a frame of another size
#      is refused.
#
# Messages without payload to the same process may share a header frame: Envelopes back to back, each
# with its segment table, at most 64, and no payload frame.
#
# Frames need no alignment. A reader copies a message to aligned memory before it parses it.
#
# LIMITS (a message beyond one of them is refused as a whole; both sides check)
#
#   header frame                    512 KiB    segments                               1
#   payload frame                   1088 KiB   pointer nesting                        8
#   words traversed                 2 x the message + 64
#   peers mentioned by a message    2048       a peer's description                   2048 bytes
#   addresses of a peer             4          an address as text                     255 characters
#   failure domain                  64 bytes   signature                              128 bytes
#   avoid                           8          leaf set                               128
#   failed                          256        joiners of a batch                     64
#   neighbourhood                   128        rows                                   digits of an id
#   entries of a row                2^b        acknowledged ranges                    4096
#   entries of a row reply          1024
#   messages acknowledged at once   2^20       hops                                   1024
#   introduced by direct            128        replicas                               1 ... 65
#   guarded                         16
#   retryAfterMs, roundTripNs,
#   probePeriodMs                   an hour (longer ones are cut)
#
# Text is printable ASCII. Numbers without a limit here may have any value. An enumerant or kind that
# a reader does not know makes the message refused; fields it does not know are ignored (Cap'n Proto
# adds fields without breaking older readers). Meaning never changes within a protocol version.
#
# PEERS
#
# A peer travels as Data holding a Peer: an unpacked, single-segment Cap'n Proto message without the
# segment table. As Data it is passed on, compared and cached byte for byte by hops that need not
# parse it. Writers write a Peer in one way only: Peer, addresses (names behind the list), domain,
# signature, in this order, absent parts as null pointers; a Host without location ends before it, with
# four words of data. A peer that a reader did not know is verified before anything else is done with
# it. Empty Data stands for "no peer" where that is allowed.
#
# WHO IS KNOWN
#
# Two processes exchange Hello and HelloReply (hello.capnp) before any Envelope; these list the nodes of each. An
# Envelope names its sender by id and incarnation. `sender` describes it in full: always, except in
# routed, hopAck, outcome, lease, pong and direct, where it may be absent because the receiver
# knows the sender. A receiver that does not know it drops the message; per-hop acknowledgement and
# probing (ping always describes the sender) recover.

@0xa126b68b3046265d;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("pastry::wire::schema");

struct Envelope {
  # Every message of an overlay.

  overlayTag @0 :UInt32;
  # FNV-1a (32 bit) over the overlay's name, a zero byte and the two bytes of the protocol version,
  # low byte first. Drops strays; no secret.

  version @1 :UInt16;
  # Protocol version of this message: one that both sides named in their Hello.

  destinationHigh @2 :UInt64;
  destinationLow @3 :UInt64;
  destinationIncarnation @4 :UInt64;
  # The node of the receiving process that the message is for. Messages for an earlier incarnation
  # are dropped.

  senderHigh @5 :UInt64;
  senderLow @6 :UInt64;
  senderIncarnation @7 :UInt64;

  sender @8 :Data;
  # A Peer with the same id and incarnation, or absent: see "Who is known".

  union {
    routed @9 :Routed;
    hopAck @10 :HopAck;
    outcome @11 :Outcome;
    joinRequest @12 :JoinRequest;
    joinTransfer @13 :JoinRequest;
    # From the root, or a gap owner that is no longer the right one, to the owner of the gap in which
    # the joiner's id lies.
    gapReserve @14 :GapReserve;
    gapReserveReply @15 :GapReserveReply;
    joinGrant @16 :JoinGrant;
    joinReport @17 :JoinReport;
    gapRelease @18 :GapRelease;
    joinRefused @19 :JoinRefused;
    leafProbe @20 :LeafProbe;
    lease @21 :Lease;
    ping @22 :Ping;
    pong @23 :Pong;
    rowRequest @24 :RowRequest;
    rowReply @25 :RowReply;
    neighbourhoodRequest @26 :Void;
    neighbourhoodReply @27 :NeighbourhoodReply;
    announce @28 :Announce;
    leave @29 :Leave;
    direct @30 :Direct;
    seek @31 :Seek;
    relay @32 :Relay;
  }
}

# --- Peers ---------------------------------------------------------------------------------------

struct Peer {
  # A node and the process it lives in. Everything but the signature is what the node's key signs.

  idHigh @0 :UInt64;
  idLow @1 :UInt64;

  incarnation @2 :UInt64;
  # Grows with every start of the node; the higher one replaces the lower at once.

  host @3 :Host;

  signature @4 :Data;
  # Empty until the overlay uses identities.
}

struct Host {
  # What all nodes of one process have in common.

  key0 @0 :UInt64;
  key1 @1 :UInt64;
  key2 @2 :UInt64;
  key3 @3 :UInt64;
  # The 32 bytes of the process's public transport key (CURVE), 8 per word, first byte lowest. Without
  # transport security a random value that tells processes apart.

  addresses @4 :List(Address);
  # Where its admission socket listens, most preferred first. Empty only in simulations.

  domain @5 :Text;
  # Failure-domain label; absent: a domain of its own.

  latitude @6 :Int32 = -2147483648;
  longitude @7 :Int32;
  # Where it stands on the earth, in steps of 1e-7 degrees: -90 ... 90 and -180 ... 180 degrees. With
  # the default latitude there is no location.
}

struct Address {
  # "tcp://HOST:PORT". A numeric HOST travels as a number, and only a HOST that is none as text.

  high @0 :UInt64;
  low @1 :UInt64;
  # ipv6: the 16 bytes of the address as two big-endian numbers. ipv4: the address in `low`.

  port @2 :UInt16;
  # 1 ... 65535

  kind @3 :Kind;
  enum Kind {
    ipv4 @0;
    ipv6 @1;
    name @2;
  }

  name @4 :Text;
  # kind = name: letters, digits, '-', '.', '_', at most 240 characters.
}

# --- Routing -------------------------------------------------------------------------------------

enum LookupKind {
  consistent @0;  # only the active node closest to the key delivers
  replica @1;     # any of the `replicas` nodes closest to the key may deliver
}

struct Routed {
  # A message on its way to the root of its key. The receiver acknowledges hopSequence (hopAck; as
  # held, if the message has to wait),
  # rewrites the header and passes both frames on, or delivers.

  keyHigh @0 :UInt64;
  keyLow @1 :UInt64;

  sequence @2 :UInt64;
  # With the source and its incarnation the identity of the message, by which the root removes
  # duplicates.

  application @3 :UInt32;
  hopSequence @4 :UInt32;
  # Chosen by the previous hop.

  payloadSize @5 :UInt32;
  hops @6 :UInt16;
  # Hops taken so far.
  reroutes @7 :UInt8;
  # Detours taken because a hop was silent.
  replicas @8 :UInt8;
  kind @9 :LookupKind;
  wantsOutcome @10 :Bool;
  # The root reports Outcome to the source.

  sourceIsSender @11 :Bool;
  source @12 :Data;
  # The Peer that called route(), unless it is the sender of the envelope.

  avoid @13 :List(Data);
  # Peers found silent on the way.

  witnessed @14 :Bool;
  # The sender holds the message and asks the receiver to send it back at once: it then answers that
  # it is held (hopAck), and the receiver has a copy, should the sender die.
}

struct HopAck {
  # Acknowledges Routed messages of the receiver.
  ranges @0 :List(Range);
  struct Range {
    # hopSequence first ... first + count - 1, modulo 2^32
    first @0 :UInt32;
    count @1 :UInt32;
    # at least 1
  }

  held @1 :Bool;
  # They wait at the sender until it or another node is the root of their keys. The receiver keeps
  # its copies until they are acknowledged without this, sends them elsewhere if the sender dies, and
  # may send one again to ask.
}

struct Outcome {
  # From the root to the source of a message that wanted an outcome.
  sequence @0 :UInt64;
  hops @1 :UInt16;
  result @2 :Result;
  enum Result {
    delivered @0;
    timedOut @1;
    refused @2;
    undeliverable @3;
  }
}

# --- Join ----------------------------------------------------------------------------------------

struct Row {
  # One row of a routing table: its members, in no particular order.
  index @0 :UInt8;
  entries @1 :List(Data);
}

struct JoinRequest {
  # From the joiner to its seed, then hop by hop to the root of the joiner's id. Each active node on
  # the path adds the rows that the joiner can use.
  joiner @0 :Data;
  attempt @1 :UInt32;
  # Grows with each retry of the same incarnation.
  hops @2 :UInt16;
  rows @3 :List(Row);
}

struct GapReserve {
  # The gap's owner asks its successor to shrink its coverage to the batch's nearest joiner.
  batch @0 :UInt32;
  joiners @1 :List(Data);
  # in ring order from the owner
}

struct GapReserveReply {
  batch @0 :UInt32;
  granted @1 :Bool;
  predecessor @2 :Data;
  # If refused because the asker is not the predecessor: the node that is. May be empty.
}

struct JoinGrant {
  # The gap's owner to each joiner of the batch.
  attempt @0 :UInt32;
  batch @1 :UInt32;
  batchJoiners @2 :List(Data);
  # in ring order from the owner, the joiner included
  successor @3 :Data;
  # May be empty (the owner is alone).
  leafSet @4 :List(Data);
  # of the owner, without the batch
  rows @5 :List(Row);
  # collected on the joiner's path
}

struct JoinReport {
  # A joiner became active; to the owner and the successor of its gap.
  batch @0 :UInt32;
  active @1 :Bool;
}

struct GapRelease {
  # The owner tells the successor that the batch is over.
  batch @0 :UInt32;
}

struct JoinRefused {
  # The joiner backs off at least this long.
  attempt @0 :UInt32;
  retryAfterMs @1 :UInt32;
}

# --- Leaf set, liveness, upkeep --------------------------------------------------------------------

struct LeafProbe {
  # Exchange of leaf sets; probe before insertion and proof of life.
  token @0 :UInt32;
  # Echoed by the reply; 0 in unsolicited ones.
  reply @1 :Bool;
  # false: please answer
  active @2 :Bool;
  # The sender is a member of the ring: active, or suspended for want of a lease.
  leafSet @3 :List(Data);
  failed @4 :List(Data);
  # Peers that the sender found dead: to be probed, never taken on trust.
  probePeriodMs @5 :UInt32;
  # How often the sender would probe an entry of its routing table, judged by the failures that it
  # saw; 0: it saw none. Receivers take the median of what they hear. More than an hour counts as an
  # hour.
  roundTripNs @6 :Int64 = -1;
  # What the sender measured between itself and the receiver, at most an hour; negative: nothing.
}

struct Lease {
  # Between immediate neighbours on the ring: a request for a lease, a grant, or both. One exchange is
  # request, grant with request, grant; it replaces heartbeats.
  request @0 :UInt32;
  # Token of a request; 0: nothing is asked.
  grant @1 :UInt32;
  # The request that this answers; 0: none. The lease counts from its sending, by the requester's clock.
  left @2 :Bool;
  right @3 :Bool;
  # The receiver is the sender's left or right neighbour, and holds a lease as such.
  active @4 :Bool;
  # The sender is active.
  guarded @5 :List(Guarded);
  # Nodes between the two that may still hold leases although the sender found them dead; at most 16.
  vouches @6 :Bool;
  # Nobody else in between, but whom the receiver named itself, holds one from the sender's side.
  othersMs @7 :UInt32;
  # Granted: how long leases of others in the receiver's place may last yet, rounded up; at most a day.

  struct Guarded {
    peer @0 :Data;
    remainingMs @1 :UInt32;
    # How long it may, rounded up; at most a day.
  }
}

struct Ping {
  token @0 :UInt32;
}

struct Pong {
  token @0 :UInt32;
  active @1 :Bool;
  wantedUs @2 :UInt32;
  # The sender asks for an announce if the round trip was shorter than this, because the receiver
  # would then come into its routing table. 0: no; 4294967295: in any case. More than an hour counts
  # as an hour.
}

struct Located {
  # A peer, and what the sender of the message knows of its own distance to it.
  peer @0 :Data;
  distanceUs @1 :UInt32 = 4294967295;
  # Round-trip time in microseconds, measured or an upper bound; 4294967295: unknown. More than an
  # hour counts as an hour. The receiver uses it only to decide whom to probe, and, with the triangle
  # inequality, as a bound.
}

struct RowRequest {
  # For rows first ... last of the routing table; each less than the digits of an id.
  first @0 :UInt8;
  last @1 :UInt8;
}

struct RowReply {
  # Entries of the rows asked for, and some of the nodes nearest to the sender. Also unasked, to
  # somebody near for whom the entries may be news.
  entries @0 :List(Located);
}

struct NeighbourhoodReply {
  members @0 :List(Located);
}

struct Announce {
  # "I am active; consider me." With the round-trip time that the sender measured to the receiver.
  roundTripNs @0 :Int64 = -1;
  # Negative: not measured. More than an hour counts as an hour.
  row @1 :List(Located);
  # The sender's row of their common prefix: the receiver has the same slots to fill there.
}

struct Leave {
  # The sender leaves now, or gives a place up; its leaf set lets the receivers repair at once.
  leafSet @0 :List(Data);

  givesUp @1 :Bool;
  # A joiner that was not active in time gives its place up. Counts for nothing where it is known to
  # be active: then this message comes late.
}

struct Seek {
  # Routed towards the seeker's id like a JoinRequest; who is closest to it sends the seeker a
  # LeafProbe. Sent through peers that were thought dead, so that a ring in two parts becomes one.
  seeker @0 :Data;
  hops @1 :UInt16;
}

struct Relay {
  # A message between two nodes that cannot reach each other, over a third that has both in its leaf
  # set. It goes from the source to the relay, and from there, the same but for its envelope, to the
  # target. The relay passes on only what comes from `source` itself and is for a member of its leaf
  # set; the target takes it only from a member of its own, and only for a source in its leaf set, or
  # one it probes, or one that would become a leaf and sends a LeafProbe. So it takes one hop, and no
  # answer needs an address that only a stranger named. Nothing proves yet that the source wrote it: a
  # leaf can speak for another leaf until messages are signed.
  source @0 :Data;
  target @1 :Data;
  enclosed @2 :Envelope;
  # Only the union counts; anything but a Relay. The payload frame, if any, is the enclosed message's.
}

# --- Between applications on two nodes ---------------------------------------------------------------

struct Direct {
  # One hop, straight to a node, not acknowledged.
  application @0 :UInt32;
  request @1 :UInt32;
  # Not 0: an answer with the same number and `reply` set is wanted (or this is it).
  payloadSize @2 :UInt32;
  reply @3 :Bool;
  refused @4 :Bool;
  # With reply: no such application, or it did not answer.
  peers @5 :List(Data);
  # Peers that the sender makes known to the receiver.
}
