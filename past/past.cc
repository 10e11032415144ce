#include "past/past.h"

#include <map>
#include <utility>

#include "past/file.h"
#include "past/put_stream.h"
#include "past/read_stream.h"
#include "past/remove_job.h"

namespace past {

using pastry::ErrorCode;
using pastry::fail;

struct Past::Streams {
  std::uint64_t last_id = 0;
  std::map<PutId, std::shared_ptr<PutStream>> puts;
  std::map<ReadId, std::shared_ptr<ReadStream>> reads;
};

namespace {

Result<void> check(Context context, const NewFile& file) {
  const int most = context.config().replicas_max();
  if (file.name.size() > kFileNameMax || file.owner.size() > kOwnerMax) {
    return fail(ErrorCode::invalid, "the file's name or its owner's key is too long");
  }
  if (file.k < 1 || file.k > most || file.at_least < 0 || file.at_least > file.k) {
    return fail(ErrorCode::invalid, "k = " + std::to_string(file.k) +
                                        " is out of range: 1 … l/2 + 1 = " + std::to_string(most));
  }
  return {};
}

Salt make_salt(Context context) {
  Salt salt;
  for (std::size_t i = 0; i < salt.size(); i += 8) {
    const std::uint64_t word = context.random().next();
    for (std::size_t j = 0; j < 8; ++j) salt[i + j] = static_cast<std::uint8_t>(word >> (8 * j));
  }
  return salt;
}

}  // namespace

Past::Past(pastry::replica::Replica& replica, const pastry::Hash& hash, const Options& options)
    : replica_(&replica), hash_(&hash), options_(&options) {}

Past::~Past() = default;

Past::Streams& Past::streams() {
  if (!streams_) streams_ = std::make_unique<Streams>();
  return *streams_;
}

// --- Insert ---

Result<PutId> Past::begin_put(Context context, NewFile file, PutEvents events) {
  if (auto good = check(context, file); !good) return tl::unexpected(good.error());
  Streams& all = streams();
  if (all.puts.size() >= options_->streams_max) {
    return fail(ErrorCode::full, "too many files are being stored through this node");
  }
  const PutId id = ++all.last_id;
  all.puts.emplace(id, std::make_shared<PutStream>(*replica_, *hash_, *options_, std::move(file),
                                                   make_salt(context), std::move(events),
                                                   [&all, id] { all.puts.erase(id); }));
  return id;
}

Result<bool> Past::write(Context context, PutId put, Payload bytes) {
  const auto found = streams().puts.find(put);
  if (found == streams().puts.end()) return fail(ErrorCode::not_found, "no such stream");
  return found->second->write(context, bytes);
}

Result<void> Past::finish(Context context, PutId put) {
  const auto found = streams().puts.find(put);
  if (found == streams().puts.end()) return fail(ErrorCode::not_found, "no such stream");
  const auto stream = found->second;
  auto finished = stream->finish(context);
  if (!finished) abort(context, put);
  return finished;
}

void Past::abort(Context, PutId put) {
  const auto found = streams().puts.find(put);
  if (found == streams().puts.end()) return;
  found->second->close();
  streams().puts.erase(found);
}

// --- Lookup ---

void Past::open(Context context, const FileId& file,
                std::function<void(Context, Result<FileInfo>)> done) {
  replica_->fetch(
      context, file,
      [file, done = std::move(done)](Context c, const Result<pastry::replica::Blob>& blob) {
        if (!blob) return done(c, tl::unexpected(blob.error()));
        done(c, file_info(file, *blob));
      });
}

void Past::read_block(Context context, const FileInfo& info, std::uint64_t index,
                      std::function<void(Context, Result<Payload>)> done) {
  fetch_block(context, *replica_, *hash_, *options_, info, index, std::move(done));
}

Result<ReadId> Past::read(Context context, const FileInfo& info, Range range, ReadEvents events) {
  if (range.offset > info.size) {
    return fail(ErrorCode::invalid, "the range begins beyond the end of the file (" +
                                        std::to_string(info.size) + " bytes)");
  }
  Streams& all = streams();
  if (all.reads.size() >= options_->streams_max) {
    return fail(ErrorCode::full, "too many files are being read through this node");
  }
  const std::uint64_t to = range.offset + std::min(range.length, info.size - range.offset);
  const ReadId id = ++all.last_id;
  auto stream =
      std::make_shared<ReadStream>(*replica_, *hash_, *options_, info, range.offset, to,
                                   std::move(events), [&all, id] { all.reads.erase(id); });
  all.reads.emplace(id, stream);
  stream->start(context);
  return id;
}

void Past::consumed(Context context, ReadId read) {
  const auto found = streams().reads.find(read);
  if (found != streams().reads.end()) found->second->consumed(context);
}

void Past::cancel(Context, ReadId read) {
  const auto found = streams().reads.find(read);
  if (found == streams().reads.end()) return;
  found->second->close();
  streams().reads.erase(found);
}

// --- Reclaim, where ---

void Past::remove(Context context, const FileId& file,
                  std::function<void(Context, Result<PutResult>)> done) {
  std::make_shared<RemoveJob>(*replica_, *hash_, *options_, file, std::move(done))->start(context);
}

void Past::where(Context context, const FileId& file,
                 pastry::replica::Callback<pastry::replica::Whereabouts> done) {
  replica_->where(context, file, std::move(done));
}

}  // namespace past
