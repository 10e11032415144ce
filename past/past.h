// PAST: files on the replica layer.
//
// Source: [PAST] Rowstron & Druschel, SOSP 2001, section 2. fileId = hash(name, owner's public key,
// salt); its first 128 bits are the ring key. Files are immutable.
//
// A file of at most one block (1 MiB) is one blob under its fileId. A larger one is cut into
// blocks, block id = hash(fileId, index), each with a replica set of its own, listed with their
// hashes in a manifest under the fileId; the file exists from the moment the manifest is
// acknowledged. A manifest lists up to 32,768 blocks (32 GiB); beyond, it lists manifests (1 PiB).
// Differences from the paper: blocks; no certificates, quota, diversion or cache yet.
//
// Use: one Past per node beside its Replica. Operations take the Context of the current upcall of
// any application of that node; callbacks run later on the node's loop with a Context of the same
// application. Memory per stream is bounded by Options::window blocks each way.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pastry/core/application.h"
#include "pastry/core/hash.h"
#include "pastry/replica/replica.h"

namespace past {

using pastry::Bytes;
using pastry::Context;
using pastry::Duration;
using pastry::Payload;
using pastry::Result;

using FileId = pastry::StoreName;  // 64 hex digits, the first 32 are the key

inline constexpr std::size_t kFileNameMax = 1024;
inline constexpr std::size_t kOwnerMax = 64;

struct Options {
  // Bytes per block; at most replica::kValueMax. Another value than the default is for tests.
  std::size_t block_bytes = pastry::replica::kValueMax;
  // Hashes per manifest.
  std::size_t manifest_entries = pastry::replica::kValueMax / 32;
  // Blocks of one stream under way at a time.
  std::size_t window = 8;
  // Deadline of a single block's put or fetch.
  Duration block_deadline = std::chrono::seconds(60);
  // Streams at a time, each way.
  std::size_t streams_max = 256;
};

struct NewFile {
  std::string name;  // at most kFileNameMax bytes
  Bytes owner;       // public key, at most kOwnerMax bytes
  int k = 3;
  int at_least = 0;                   // see replica::Copies
  std::optional<std::uint64_t> size;  // if known: finish() refuses another one
  // How long a single block may take, at most Options::block_deadline; zero: that.
  Duration patience{};
};

struct PutResult {
  FileId file_id;
  std::uint64_t size = 0;
  int copies = 0;  // of the entry with the fewest
  int wanted = 0;
};

using PutId = std::uint64_t;
using ReadId = std::uint64_t;

struct PutEvents {
  // After write() returned false: more may be written now.
  std::function<void(Context)> writable;
  // Exactly once unless abort() was called: stored, or why not; the stream is over.
  std::function<void(Context, Result<PutResult>)> done;
};

struct Manifest;

struct FileInfo {
  FileId file_id;
  std::string name;
  Bytes owner;
  std::uint64_t size = 0;
  std::uint64_t block_bytes = 0;
  std::uint64_t blocks = 0;  // 0 for an empty file
  int wanted = 0;            // k
  std::shared_ptr<const Manifest> manifest;
};

struct ReadEvents {
  // The next bytes, in order; call consumed() when done with them.
  std::function<void(Context, Payload)> block;
  // Exactly once unless cancel() was called: all was delivered, or why not.
  std::function<void(Context, Result<void>)> done;
};

struct Range {
  std::uint64_t offset = 0;
  std::uint64_t length = UINT64_MAX;  // clipped to the file
};

class Past {
 public:
  // All must outlive this. `replica` is the node's own.
  Past(pastry::replica::Replica& replica, const pastry::Hash& hash, const Options& options);
  ~Past();

  // --- Insert ---

  // Errors: invalid (name, owner or k out of range), full (streams_max).
  Result<PutId> begin_put(Context context, NewFile file, PutEvents events);
  // Takes bytes of any number, up to a block. Returns whether more may be written now; if not,
  // wait for writable(). (Bytes written all the same are refused with `full`.) After a failure of
  // the stream its done() has been or will be called, and this is not_found.
  Result<bool> write(Context context, PutId put, Payload bytes);
  // No more bytes; done() follows. After an error (invalid: not the size that was announced) the
  // stream is over without done().
  Result<void> finish(Context context, PutId put);
  // Forgets the stream without done(). Blocks already stored expire.
  void abort(Context context, PutId put);

  // --- Lookup ---

  // Errors as Replica::fetch; corrupt also for an entry that is not a file.
  void open(Context context, const FileId& file,
            std::function<void(Context, Result<FileInfo>)> done);
  // One whole block, verified; index < info.blocks.
  void read_block(Context context, const FileInfo& info, std::uint64_t index,
                  std::function<void(Context, Result<Payload>)> done);
  // A stream of the range with at most Options::window blocks fetched ahead of consumption.
  // Errors: invalid (offset beyond the end), full.
  Result<ReadId> read(Context context, const FileInfo& info, Range range, ReadEvents events);
  // One block() was used up.
  void consumed(Context context, ReadId read);
  void cancel(Context context, ReadId read);

  // --- Reclaim, where ---

  // Removes the file and its blocks. Once done says so, no lookup finds it; blocks that could not
  // be reached then are dropped by their holders when their lease ends.
  void remove(Context context, const FileId& file,
              std::function<void(Context, Result<PutResult>)> done);
  // Holders of the file's blob or manifest.
  void where(Context context, const FileId& file,
             pastry::replica::Callback<pastry::replica::Whereabouts> done);

 private:
  struct Streams;

  Streams& streams();

  pastry::replica::Replica* replica_;
  const pastry::Hash* hash_;
  const Options* options_;
  std::unique_ptr<Streams> streams_;  // made with the first operation: an idle node has none
};

}  // namespace past
