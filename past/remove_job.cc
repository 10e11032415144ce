#include "past/remove_job.h"

#include <utility>

namespace past {

using pastry::replica::Whereabouts;

void RemoveJob::start(Context context) {
  replica_.where(context, file_,
                 [self = shared_from_this()](Context c, const Result<Whereabouts>& where) {
                   if (!where) return self->done_(c, tl::unexpected(where.error()));
                   self->found(c, *where);
                 });
}

void RemoveJob::found(Context context, const Whereabouts& where) {
  const auto meta = decode(where.meta);
  // Whatever it is, it is not a file, and not ours to remove.
  if (!meta) return done_(context, tl::unexpected(meta.error()));
  blocks_ = meta->levels == 0 ? 0 : meta->blocks();
  parts_ = blocks_ + meta->leaves();
  result_.file_id = file_;
  result_.size = meta->size;
  replica_.remove(
      context, file_,
      [self = shared_from_this()](Context c, const Result<pastry::replica::PutResult>& removed) {
        if (!removed) return self->done_(c, tl::unexpected(removed.error()));
        self->result_.copies = removed->copies;
        self->result_.wanted = removed->wanted;
        self->remove_parts(c);
      });
}

void RemoveJob::remove_parts(Context context) {
  if (next_ == parts_ && under_way_ == 0) return done_(context, result_);
  while (next_ < parts_ && under_way_ < options_.window) {
    ++under_way_;
    replica_.remove(
        context, part(next_++),
        [self = shared_from_this()](Context c, const Result<pastry::replica::PutResult>&) {
          // A part that could not be reached is dropped by its holders: its parent is gone.
          --self->under_way_;
          self->remove_parts(c);
        },
        options_.block_deadline);
  }
}

pastry::StoreName RemoveJob::part(std::uint64_t index) const {
  return index < blocks_ ? block_name(hash_, file_, index)
                         : leaf_name(hash_, file_, index - blocks_);
}

}  // namespace past
