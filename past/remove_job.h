// Reclaim [PAST §2.2]: first the entry that makes the file one, then its parts.
#pragma once

#include <cstdint>
#include <memory>

#include "past/file.h"

namespace past {

class RemoveJob : public std::enable_shared_from_this<RemoveJob> {
 public:
  using Done = std::function<void(Context, Result<PutResult>)>;

  // All must outlive this, and the node. The job keeps itself alive until it is done.
  RemoveJob(pastry::replica::Replica& replica, const Hash& hash, const Options& options,
            const FileId& file, Done done)
      : replica_(replica), hash_(hash), options_(options), file_(file), done_(std::move(done)) {}

  void start(Context context);

 private:
  void found(Context context, const pastry::replica::Whereabouts& where);
  void remove_parts(Context context);
  pastry::StoreName part(std::uint64_t index) const;

  pastry::replica::Replica& replica_;
  const Hash& hash_;
  const Options& options_;
  const FileId file_;
  Done done_;
  PutResult result_;
  std::uint64_t blocks_ = 0;
  std::uint64_t parts_ = 0;  // blocks, then manifests of blocks
  std::uint64_t next_ = 0;
  std::size_t under_way_ = 0;
};

}  // namespace past
