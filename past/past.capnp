# What PAST keeps beside the value of a file's first entry (the blob or the manifest under the
# fileId), as meta data of the replica layer. Framed as pastry/replica/replica.capnp says, without
# body. The value of a manifest is the SHA-256 digests of its blocks, 32 bytes each, in order; with
# `levels` 2, of the manifests that list the blocks.
@0xc6d1a4e0b3f7925d;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("past::schema");

struct File {
  levels @0 :UInt8;            # 0: the value is the file; 1, 2: it is a manifest
  size @1 :UInt64;             # of the file
  blockBytes @2 :UInt32;       # all blocks but the last have so many
  manifestEntries @3 :UInt32;  # with 2 levels: digests per manifest of blocks
  replicas @4 :UInt8;          # k
  name @5 :Data;               # as the owner called it, at most 1024 bytes
  owner @6 :Data;              # public key, at most 64 bytes
  salt @7 :Data;               # 16 bytes; fileId = hash(name, owner, salt)
}
