@0xd1b5a3f0c2e94786;
# Messages of the lookup application: what `pastry lookup`, `trace`, `ring` and `status` send over
# the overlay. A frame of pastry/replica/capnp_frame.h without a body. Bounds are checked in
# lookup_codec.cc.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("pastry::service::schema");

struct Id {
  high @0 :UInt64;
  low @1 :UInt64;
}

# A node on the path of a traced message.
struct Hop {
  id @0 :Id;
  endpoint @1 :Text;
  # One-way delay from the node before, as this node measured it; negative: not measured.
  delayNs @2 :Int64;
}

# What a node says about itself.
struct Report {
  asked @0 :Id;  # the key of the question
  id @1 :Id;
  endpoint @2 :Text;
  active @3 :Bool;
  hasNeighbours @4 :Bool;
  left @5 :Id;
  right @6 :Id;
  known @7 :List(Id);  # leaf set first, then the routing table; at most 512

  blobs @8 :UInt64;
  records @9 :UInt64;
  bytes @10 :UInt64;
  files @11 :UInt64;  # of which this node is the first holder
  underReplicated @12 :UInt64;
  bytesToRepair @13 :UInt64;
  pendingPulls @14 :UInt64;
  pendingPullBytes @15 :UInt64;
  settled @16 :Bool;
  topics @17 :UInt64;
  forwarded @18 :UInt64;
  delivered @19 :UInt64;
  retransmitted @20 :UInt64;
  dropped @21 :UInt64;
  shortOfNodes @22 :UInt64;
  nodesWanted @23 :UInt64;
  countedAgeMs @24 :UInt64;  # age of blobs ... settled; 0 if it holds nothing
  uncounted @25 :Bool;       # holds entries and did not count any yet
}

struct LookupMessage {
  call @0 :UInt64;  # chosen by the node that asks, repeated in the answer
  union {
    lookup @1 :Void;        # routed; the overlay itself tells who the root is
    trace @2 :List(Hop);    # routed; every node on the path appends itself
    census @3 :Void;        # routed; the root answers with a report
    traced @4 :List(Hop);   # direct, the root's answer to trace
    report @5 :Report;      # direct, the root's answer to census
  }
}
