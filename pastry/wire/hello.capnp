# Admission: what two processes say to each other before any Envelope (pastry.capnp).
#
# On the admission socket, before anything else. Both frames start with the same 8 bytes of data in
# every version (magic and layout), so that any two versions can tell each other apart. Limits: frame
# 256 KiB, overlay name 1 ... 64 printable characters, 1024 nodes, proof 256 bytes, detail 256
# characters, challenge and echo 32 bytes.

@0xc5e0b7a94d12f368;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("pastry::wire::schema");

using Pastry = import "pastry.capnp";

const helloMagic :UInt32 = 0x52545350;
# "PSTR"

struct Hello {
  magic @0 :UInt32;
  minVersion @1 :UInt16;
  maxVersion @2 :UInt16;
  features @3 :UInt64;
  # Bits that both sides set are in use. None is defined in version 1.
  overlay @4 :Text;
  host @5 :Pastry.Host;
  nodes @6 :List(Node);
  # The nodes of the process.
  challenge @7 :Data;
  # Random; echoed by the reply (which so cannot be older), and signed once identities are in use.
  proof @8 :Data;

  leafSet @9 :UInt16;
  digitBits @10 :UInt8;
  # l and b of the sender's overlay, which all its nodes share: coverage and routing rows rest on them.
  # l is even, 2 ... 128; b is 1 ... 8. The receiver refuses others than its own (otherParameters).
  leaseMs @11 :UInt32;
  heartbeatMs @12 :UInt32;
  # How long a lease lasts, and T_ls, in milliseconds, 1 ... 86400000: who grants a lease and who holds
  # it each count by their own, and services take who is silent for some of their own heartbeats for
  # gone. So these have to be the same, too.

  struct Node {
    idHigh @0 :UInt64;
    idLow @1 :UInt64;
    incarnation @2 :UInt64;
    signature @3 :Data;
  }
}

struct HelloReply {
  magic @0 :UInt32;
  minVersion @1 :UInt16;
  maxVersion @2 :UInt16;
  # Accepted: both the version to use. Refused: what the process speaks.
  features @3 :UInt64;
  # Those in use.
  echo @4 :Data;
  # The Hello's challenge.

  union {
    accepted @5 :Accepted;
    refused @6 :Refused;
  }

  struct Accepted {
    host @0 :Pastry.Host;
    nodes @1 :List(Hello.Node);
    challenge @2 :Data;
    proof @3 :Data;
  }

  struct Refused {
    reason @0 :Reason;
    detail @1 :Text;
  }

  enum Reason {
    malformed @0;
    wrongOverlay @1;
    incompatibleVersion @2;
    notLoopback @3;
    unverified @4;
    full @5;
    stopping @6;
    otherParameters @7;
    # leafSet, digitBits, leaseMs or heartbeatMs differ; `detail` names both values.
  }
}
