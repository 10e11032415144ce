#include "past/put_stream.h"

#include <algorithm>
#include <utility>

namespace past {

using pastry::ErrorCode;
using pastry::fail;
using pastry::StoreName;

PutStream::PutStream(pastry::replica::Replica& replica, const Hash& hash, const Options& options,
                     NewFile file, const Salt& salt, PutEvents events, std::function<void()> over)
    : replica_(replica),
      hash_(hash),
      options_(options),
      file_(std::move(file)),
      salt_(salt),
      id_(file_id(hash, file_.name, file_.owner, salt)),
      events_(std::move(events)),
      over_(std::move(over)),
      fewest_copies_(file_.k) {}

Result<bool> PutStream::write(Context context, const Payload& bytes) {
  if (finishing_) return fail(ErrorCode::invalid, "the stream is finished");
  if (bytes.size() > options_.block_bytes) {
    return fail(ErrorCode::too_large, "more than a block at a time");
  }
  if (!room()) return fail(ErrorCode::full, "wait for writable()");
  size_ += bytes.size();
  std::size_t position = 0;
  while (position < bytes.size()) {
    const std::size_t take =
        std::min(options_.block_bytes - partial_.size(), bytes.size() - position);
    const Payload piece = bytes.part(position, take);
    position += take;
    if (take == options_.block_bytes) {
      add_block(context, piece);
      continue;
    }
    if (partial_.empty()) partial_.reserve(std::min(options_.block_bytes, 2 * take));
    partial_.insert(partial_.end(), piece.view().begin(), piece.view().end());
    if (partial_.size() == options_.block_bytes) {
      add_block(context, Payload(std::exchange(partial_, {})));
    }
  }
  refused_ = !room();
  return room();
}

// A whole block stays until more comes: if nothing does, it is the whole file.
void PutStream::add_block(Context context, Payload block) {
  if (holding_) store_block(context, std::move(held_));
  held_ = std::move(block);
  holding_ = true;
}

Result<void> PutStream::finish(Context context) {
  if (finishing_) return fail(ErrorCode::invalid, "the stream is finished");
  if (file_.size && *file_.size != size_) {
    return fail(ErrorCode::invalid, std::to_string(size_) + " bytes were written, " +
                                        std::to_string(*file_.size) + " announced");
  }
  finishing_ = true;
  const bool single = blocks_ == 0 && (!holding_ || partial_.empty());
  if (single) {
    store_root(context);
    return {};
  }
  if (holding_) store_block(context, std::move(held_));
  if (!partial_.empty()) store_block(context, Payload(std::exchange(partial_, {})));
  holding_ = false;
  return {};
}

void PutStream::store_block(Context context, Payload block) {
  const std::uint64_t index = blocks_++;
  put(context, block_name(hash_, id_, index), std::move(block), true, {},
      [this, index](Context c, const pastry::replica::PutResult& result) {
        block_stored(c, index, result.digest);
      });
}

void PutStream::block_stored(Context context, std::uint64_t index, const Digest& digest) {
  const std::uint64_t per_leaf = options_.manifest_entries;
  Leaf& leaf = leaves_[index / per_leaf];
  const std::size_t offset = static_cast<std::size_t>(index % per_leaf) * kDigestBytes;
  leaf.digests.resize(std::max(leaf.digests.size(), offset + kDigestBytes));
  std::copy(digest.begin(), digest.end(),
            leaf.digests.begin() + static_cast<std::ptrdiff_t>(offset));
  ++leaf.known;
  store_complete_leaves(context);
}

void PutStream::store_complete_leaves(Context context) {
  // With a single list of digests that list is the manifest itself.
  const std::uint64_t per_leaf = options_.manifest_entries;
  if (blocks_ <= per_leaf) return;
  while (!leaves_.empty()) {
    const auto& [index, leaf] = *leaves_.begin();
    const std::uint64_t blocks = std::min(per_leaf, blocks_ - index * per_leaf);
    if (leaf.known < blocks || (blocks < per_leaf && !finishing_)) return;
    store_leaf(context, index);
  }
}

void PutStream::store_leaf(Context context, std::uint64_t index) {
  Payload value(std::move(leaves_[index].digests));
  leaves_.erase(index);
  put(context, leaf_name(hash_, id_, index), std::move(value), true, {},
      [this, index](Context, const pastry::replica::PutResult& result) {
        const std::size_t offset = static_cast<std::size_t>(index) * kDigestBytes;
        leaf_digests_.resize(std::max(leaf_digests_.size(), offset + kDigestBytes));
        std::copy(result.digest.begin(), result.digest.end(),
                  leaf_digests_.begin() + static_cast<std::ptrdiff_t>(offset));
      });
}

void PutStream::store_root(Context context) {
  root_under_way_ = true;
  std::uint8_t levels = 0;
  Payload value;
  if (blocks_ == 0) {
    value = holding_ ? std::move(held_) : Payload(std::move(partial_));
  } else if (blocks_ <= options_.manifest_entries) {
    levels = 1;
    value = Payload(std::move(leaves_[0].digests));
  } else {
    levels = 2;
    value = Payload(std::move(leaf_digests_));
  }
  auto encoded = encode(meta(levels));
  if (!encoded) return fail_with(context, encoded.error());
  put(context, id_, std::move(value), false, std::move(*encoded),
      [this](Context c, const pastry::replica::PutResult&) {
        closed_ = true;
        over_();
        events_.done(c, PutResult{id_, size_, fewest_copies_, file_.k});
      });
}

void PutStream::put(Context context, const StoreName& name, Payload value, bool part, Bytes meta,
                    std::function<void(Context, const pastry::replica::PutResult&)> stored) {
  ++under_way_;
  pastry::replica::BlobOptions blob;
  const bool bounded = file_.patience > pastry::Duration::zero();
  const pastry::Duration most = options_.block_deadline;
  blob.copies = {file_.k, file_.at_least, bounded ? std::min(file_.patience, most) : most};
  blob.meta = std::move(meta);
  if (part) blob.parent = id_;
  replica_.put_blob(context, name, std::move(value), std::move(blob),
                    [weak = weak_from_this(), stored = std::move(stored)](
                        Context c, const Result<pastry::replica::PutResult>& result) {
                      const auto self = weak.lock();
                      if (!self || self->closed_) return;
                      if (!result) return self->fail_with(c, result.error());
                      self->fewest_copies_ = std::min(self->fewest_copies_, result->copies);
                      stored(c, *result);
                      if (!self->closed_) self->ended_one(c);
                    });
}

void PutStream::ended_one(Context context) {
  --under_way_;
  if (finishing_ && under_way_ == 0 && !root_under_way_) {
    store_complete_leaves(context);
    if (under_way_ == 0) store_root(context);
    return;
  }
  if (refused_ && room() && !finishing_) {
    refused_ = false;
    if (events_.writable) events_.writable(context);
  }
}

void PutStream::fail_with(Context context, pastry::Error error) {
  closed_ = true;
  over_();
  // A copy that was stored all the same must not turn up later as a file nobody was told of.
  if (root_under_way_) {
    replica_.remove(context, id_, [](Context, const Result<pastry::replica::PutResult>&) {});
  }
  events_.done(context, tl::unexpected(std::move(error)));
}

FileMeta PutStream::meta(std::uint8_t levels) const {
  FileMeta meta;
  meta.levels = levels;
  meta.size = size_;
  meta.block_bytes = static_cast<std::uint32_t>(options_.block_bytes);
  meta.manifest_entries = static_cast<std::uint32_t>(options_.manifest_entries);
  meta.replicas = static_cast<std::uint8_t>(file_.k);
  meta.name = file_.name;
  meta.owner = file_.owner;
  meta.salt = salt_;
  return meta;
}

}  // namespace past
