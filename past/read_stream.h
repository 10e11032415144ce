// A lookup under way [PAST §2.2]: fetches blocks side by side, hands them out in order.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "past/file.h"

namespace past {

using BlockCallback = std::function<void(Context, Result<Payload>)>;

// One whole block, verified against the manifest.
void fetch_block(Context context, pastry::replica::Replica& replica, const Hash& hash,
                 const Options& options, const FileInfo& info, std::uint64_t index,
                 BlockCallback done);

class ReadStream : public std::enable_shared_from_this<ReadStream> {
 public:
  // All must outlive this. `over` is called when the stream ends by itself, before done().
  ReadStream(pastry::replica::Replica& replica, const Hash& hash, const Options& options,
             FileInfo info, std::uint64_t from, std::uint64_t to, ReadEvents events,
             std::function<void()> over);

  void start(Context context);
  void consumed(Context context);
  // No further call.
  void close() { closed_ = true; }

 private:
  void fetch_more(Context context);
  void arrived(Context context, std::uint64_t index, Result<Payload> block);
  void deliver(Context context);
  void end(Context context, Result<void> result);
  Payload clipped(std::uint64_t index, const Payload& block) const;

  pastry::replica::Replica& replica_;
  const Hash& hash_;
  const Options& options_;
  const FileInfo info_;
  const std::uint64_t from_;  // bytes of the file
  const std::uint64_t to_;
  ReadEvents events_;
  std::function<void()> over_;

  std::uint64_t next_fetch_ = 0;  // blocks
  std::uint64_t next_delivery_ = 0;
  std::uint64_t end_ = 0;
  std::map<std::uint64_t, Payload> ready_;
  std::size_t fetching_ = 0;
  std::size_t unconsumed_ = 0;
  bool delivering_ = false;
  bool closed_ = false;
};

}  // namespace past
