// An insert under way [PAST §2.2]: cuts what is written into blocks and stores them, then the
// manifest that makes them a file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "past/file.h"

namespace past {

class PutStream : public std::enable_shared_from_this<PutStream> {
 public:
  // All must outlive this. `over` is called when the stream ends by itself, before done().
  PutStream(pastry::replica::Replica& replica, const Hash& hash, const Options& options,
            NewFile file, const Salt& salt, PutEvents events, std::function<void()> over);

  Result<bool> write(Context context, const Payload& bytes);
  Result<void> finish(Context context);
  // No further effect, no further call.
  void close() { closed_ = true; }

 private:
  struct Leaf {
    Bytes digests;
    std::uint64_t known = 0;
  };

  bool room() const { return under_way_ < options_.window; }
  void add_block(Context context, Payload block);
  void store_block(Context context, Payload block);
  void block_stored(Context context, std::uint64_t index, const Digest& digest);
  void store_leaf(Context context, std::uint64_t index);
  void store_complete_leaves(Context context);
  void store_root(Context context);
  void put(Context context, const pastry::StoreName& name, Payload value, bool part, Bytes meta,
           std::function<void(Context, const pastry::replica::PutResult&)> stored);
  void ended_one(Context context);
  void fail_with(Context context, pastry::Error error);
  FileMeta meta(std::uint8_t levels) const;

  pastry::replica::Replica& replica_;
  const Hash& hash_;
  const Options& options_;
  const NewFile file_;
  const Salt salt_;
  const FileId id_;
  PutEvents events_;
  std::function<void()> over_;

  std::uint64_t size_ = 0;
  Bytes partial_;         // less than a block
  bool holding_ = false;  // held_ is a whole block that may turn out to be the whole file
  Payload held_;
  std::uint64_t blocks_ = 0;              // given to the replica layer
  std::map<std::uint64_t, Leaf> leaves_;  // not stored yet
  Bytes leaf_digests_;
  std::size_t under_way_ = 0;
  int fewest_copies_ = 0;
  bool refused_ = false;  // the writer waits for writable()
  bool finishing_ = false;
  bool root_under_way_ = false;
  bool closed_ = false;
};

}  // namespace past
