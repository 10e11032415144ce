#include "past/read_stream.h"

#include <algorithm>
#include <utility>

namespace past {

using pastry::ErrorCode;
using pastry::fail;
using pastry::replica::Blob;

namespace {

// The file exists but a part of it does not: not what `not_found` means to the caller.
pastry::Error part_error(pastry::Error error) {
  if (error.code != ErrorCode::not_found) return error;
  return {ErrorCode::unavailable, "a block of the file is missing"};
}

}  // namespace

void fetch_block(Context context, pastry::replica::Replica& replica, const Hash& hash,
                 const Options& options, const FileInfo& info, std::uint64_t index,
                 BlockCallback done) {
  const auto& manifest = info.manifest;
  if (index >= info.blocks) {
    replica.soon(context, [done = std::move(done)](Context c) {
      done(c, fail(ErrorCode::invalid, "no such block"));
    });
    return;
  }
  if (manifest->meta.levels == 0) {
    replica.soon(context,
                 [done = std::move(done), manifest](Context c) { done(c, manifest->value); });
    return;
  }
  const std::uint64_t per_leaf = manifest->meta.manifest_entries;
  const std::uint64_t leaf = index / per_leaf;
  if (manifest->meta.levels == 2 && manifest->leaf_index != leaf) {
    replica.fetch(
        context, leaf_name(hash, info.file_id, leaf),
        [&replica, &hash, &options, info, index, leaf, per_leaf, done = std::move(done)](
            Context c, const Result<Blob>& list) {
          if (!list) return done(c, tl::unexpected(part_error(list.error())));
          const std::uint64_t listed = std::min(per_leaf, info.blocks - leaf * per_leaf);
          if (list->value.size() != listed * kDigestBytes) {
            return done(c, fail(ErrorCode::corrupt, "a manifest has the wrong size"));
          }
          info.manifest->leaf_index = leaf;
          info.manifest->leaf = list->value;
          fetch_block(c, replica, hash, options, info, index, done);
        },
        options.block_deadline, digest_at(manifest->value, leaf));
    return;
  }
  const Digest digest = manifest->meta.levels == 1 ? digest_at(manifest->value, index)
                                                   : digest_at(manifest->leaf, index % per_leaf);
  replica.fetch(
      context, block_name(hash, info.file_id, index),
      [size = block_size(info, index), done = std::move(done)](Context c,
                                                               const Result<Blob>& block) {
        if (!block) return done(c, tl::unexpected(part_error(block.error())));
        if (block->value.size() != size) {
          return done(c, fail(ErrorCode::corrupt, "a block has the wrong size"));
        }
        done(c, block->value);
      },
      options.block_deadline, digest);
}

ReadStream::ReadStream(pastry::replica::Replica& replica, const Hash& hash, const Options& options,
                       FileInfo info, std::uint64_t from, std::uint64_t to, ReadEvents events,
                       std::function<void()> over)
    : replica_(replica),
      hash_(hash),
      options_(options),
      info_(std::move(info)),
      from_(from),
      to_(to),
      events_(std::move(events)),
      over_(std::move(over)) {
  if (from_ == to_) return;
  next_fetch_ = next_delivery_ = from_ / info_.block_bytes;
  end_ = (to_ - 1) / info_.block_bytes + 1;
}

void ReadStream::start(Context context) {
  if (next_fetch_ < end_) return fetch_more(context);
  replica_.soon(context, [weak = weak_from_this()](Context c) {
    if (const auto self = weak.lock(); self && !self->closed_) self->end(c, {});
  });
}

void ReadStream::consumed(Context context) {
  if (unconsumed_ > 0) --unconsumed_;
  fetch_more(context);
}

void ReadStream::fetch_more(Context context) {
  while (next_fetch_ < end_ && fetching_ + ready_.size() + unconsumed_ < options_.window) {
    const std::uint64_t index = next_fetch_++;
    ++fetching_;
    fetch_block(context, replica_, hash_, options_, info_, index,
                [weak = weak_from_this(), index](Context c, Result<Payload> block) {
                  const auto self = weak.lock();
                  if (self && !self->closed_) self->arrived(c, index, std::move(block));
                });
  }
}

void ReadStream::arrived(Context context, std::uint64_t index, Result<Payload> block) {
  --fetching_;
  if (!block) return end(context, tl::unexpected(block.error()));
  ready_.emplace(index, std::move(*block));
  deliver(context);
}

void ReadStream::deliver(Context context) {
  if (delivering_) return;
  delivering_ = true;
  const auto self = shared_from_this();  // the callee may cancel the stream
  while (!closed_ && !ready_.empty() && ready_.begin()->first == next_delivery_) {
    const std::uint64_t index = next_delivery_++;
    const Payload bytes = clipped(index, ready_.begin()->second);
    ready_.erase(ready_.begin());
    ++unconsumed_;
    events_.block(context, bytes);
  }
  delivering_ = false;
  if (!closed_ && next_delivery_ == end_) end(context, {});
}

Payload ReadStream::clipped(std::uint64_t index, const Payload& block) const {
  const std::uint64_t start = index * info_.block_bytes;
  const std::uint64_t first = std::max(from_, start) - start;
  const std::uint64_t last = std::min<std::uint64_t>(to_ - start, block.size());
  return block.part(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first));
}

void ReadStream::end(Context context, Result<void> result) {
  closed_ = true;
  over_();
  events_.done(context, std::move(result));
}

}  // namespace past
