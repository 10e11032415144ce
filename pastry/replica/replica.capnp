# What replica layers of different nodes say to each other, and what they keep beside a value.
#
# A frame is: 8 bytes (number of header words and zero, little-endian UInt32 each), one Cap'n Proto
# segment of that many words without segment table, then the body: raw bytes of a value. The header
# is at most 64 KiB. Messages travel as payloads of direct messages; locate and record are routed to
# the root of the name's key (consistent lookup, locate of a read also as replica lookup).
#
# Fields are only ever added; unknown ones are ignored; an unknown union member is dropped.
@0xb1d6a2c47e90f835;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("pastry::replica::schema");

# 32 bytes as four big-endian words; the first two are the ring key.
struct Name {
  word0 @0 :UInt64;
  word1 @1 :UInt64;
  word2 @2 :UInt64;
  word3 @3 :UInt64;
}

# What is kept beside a value in the store; the user's meta data follows as body.
struct Meta {
  kind @0 :UInt8;        # 0 blob, 1 record
  tombstone @1 :Bool;    # removed; no value
  replicas @2 :UInt8;    # k
  parent @3 :Name;       # null: permanent; else: permanent as long as this entry exists
  writerHigh @4 :UInt64; # random, names the write: a repeated update is recognised by it
  writerLow @5 :UInt64;
  created @6 :Int64;     # Unix seconds at the writer, 0 to 2^40; never decides between versions
}

# An entry without its value. A blob has version 1, its tombstone a higher one.
struct Entry {
  name @0 :Name;
  version @1 :UInt64;
  size @2 :UInt64;
  digest @3 :Data;       # SHA-256 of the value, or empty for a tombstone
  meta @4 :Meta;
  user @5 :Data;         # the user's meta data, at most 2 KiB
}

# One line of a comparison.
struct Offered {
  name @0 :Name;
  version @1 :UInt64;
  size @2 :UInt64;
  fingerprint @3 :UInt64;  # of name, version, tombstone flag and digest
  replicas @4 :UInt8;
  tombstone @5 :Bool;
}

# Routed. Who is the replica set, and (withEntry) what does the answering node hold?
struct Locate {
  operation @0 :UInt64;  # echoed
  name @1 :Name;
  replicas @2 :UInt8;
  withEntry @3 :Bool;
}

# The replica set itself is introduced beside the payload (Context::introduce).
struct Located {
  operation @0 :UInt64;
  # Of the answering node's own entry: ok, missing, removed, failed; busy: it was away, or no member,
  # and does not know yet whether what it has is the newest, those introduced may.
  status @1 :UInt8;
  entry @2 :Entry;       # if ok or removed
  sure @3 :Bool;         # the answering node is the root, and knows the whole set from its leaf set
}

# Keep this entry; the body is its value.
struct Store {
  entry @0 :Entry;
  # Refuse an equal version with other content (writes of clients); otherwise the winner of the two
  # stays (repair).
  strict @1 :Bool;
}

struct Stored {
  status @0 :UInt8;
  version @1 :UInt64;    # what is held now
}

# The digest is for the asker to check; a holder checks its bytes on the way out only when asked to: by
# who got bytes that do not match, so that a damaged copy is noticed and replaced, and in repairs.
struct Get {
  name @0 :Name;
  check @1 :Bool;
}

# The body is the value.
struct Got {
  status @0 :UInt8;
  entry @1 :Entry;
}

struct Stat {
  name @0 :Name;
  # Asked as the one who was root of the key before the sender came.
  former @1 :Bool;
}

struct Statted {
  status @0 :UInt8;
  entry @1 :Entry;
}

# What the sender holds with names from … to that both sides should hold: number and sum of
# fingerprints.
struct Summary {
  from @0 :Name;
  to @1 :Name;
  count @2 :UInt32;
  sum @3 :UInt64;
}

struct Summarised {
  same @0 :Bool;
  # The answering node was away, and does not know yet what it missed.
  doubtful @1 :Bool;
}

# Entries that the sender holds and the receiver should hold, ascending by name.
struct Offer {
  entries @0 :List(Offered);
  # The sender was away and only asks whether there is anything newer. The receiver need not be a
  # member of the replica set, and fetches nothing.
  ask @1 :Bool;
}

# One byte per offered entry: 0 lacks it (and, unless it was only asked, will fetch it), 1 holds it,
# 2 does not think it should hold it, 3 holds something newer.
struct OfferAnswer {
  answers @0 :Data;
}

# Routed. The body of an update is the new value.
struct Record {
  operation @0 :UInt64;
  name @1 :Name;
  update @2 :Bool;             # else read
  expectedVersion @3 :UInt64;
  replicas @4 :UInt8;
  atLeast @5 :UInt8;
  writerHigh @6 :UInt64;
  writerLow @7 :UInt64;
}

# The body of a read's answer is the value.
struct Recorded {
  operation @0 :UInt64;
  status @1 :UInt8;
  version @2 :UInt64;
  copies @3 :UInt8;
  wanted @4 :UInt8;
}

struct Message {
  union {
    locate @0 :Locate;
    located @1 :Located;
    store @2 :Store;
    stored @3 :Stored;
    get @4 :Get;
    got @5 :Got;
    stat @6 :Stat;
    statted @7 :Statted;
    summary @8 :Summary;
    summarised @9 :Summarised;
    offer @10 :Offer;
    offerAnswer @11 :OfferAnswer;
    record @12 :Record;
    recorded @13 :Recorded;
  }
}
