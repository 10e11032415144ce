#include "pastry/replica/lmdb_store.h"

#include <algorithm>
#include <system_error>
#include <utility>
#include <variant>

#include "pastry/replica/directory_lock.h"
#include "pastry/replica/lmdb_batch.h"
#include "pastry/replica/lmdb_file.h"
#include "pastry/replica/store_format.h"

namespace pastry::replica {

namespace {

bool writes(const StorageRequest& request) {
  return std::holds_alternative<StorePut>(request.operation) ||
         std::holds_alternative<StoreErase>(request.operation);
}

std::uint64_t bytes_to_write(std::span<const StorageRequest> requests) {
  std::uint64_t bytes = 0;
  for (const StorageRequest& request : requests) {
    const auto* put = std::get_if<StorePut>(&request.operation);
    if (put != nullptr) bytes += put->value.size() + put->meta.size();
  }
  return bytes;
}

}  // namespace

struct LmdbStore::State {
  using Requests = std::span<const StorageRequest>;
  using Results = std::vector<Result<StoreOutcome>>;

  State(const Hash& used_hash, LmdbStoreOptions store_options, DirectoryLock taken)
      : hash(&used_hash), options(std::move(store_options)), lock(std::move(taken)) {}

  void run(Requests requests, std::vector<StorageCompletion>& completions);
  // Carries out the requests in one transaction. False if nothing was done and they should be tried
  // one by one; never for a single one.
  bool try_together(Requests requests, Results& results);
  // Runs and commits; the error and its call if the transaction was lost.
  int transact(Requests requests, bool writable, bool room, Results& results, std::string& call);
  void complete(Requests requests, Results results, std::vector<StorageCompletion>& completions);
  void count(const StorageRequest& request, const Result<StoreOutcome>& result);

  const Hash* hash;
  LmdbStoreOptions options;
  DirectoryLock lock;
  std::unique_ptr<LmdbFile> file;
  bool fresh = false;
  std::string broken;  // why no write is tried any more
  StoreCounters counters;
};

LmdbStore::LmdbStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
LmdbStore::~LmdbStore() = default;

const StoreCounters& LmdbStore::counters() const { return state_->counters; }
bool LmdbStore::fresh() const { return state_->fresh; }

Result<std::unique_ptr<LmdbStore>> LmdbStore::open(const Hash& hash, LmdbStoreOptions options) {
  constexpr std::uint64_t kCapacityMax = std::uint64_t{1} << 45;
  if (options.capacity_bytes > kCapacityMax) {
    return fail(ErrorCode::invalid, "the capacity of a store must be at most " +
                                        std::to_string(kCapacityMax) + " bytes");
  }
  auto lock = DirectoryLock::take(options.directory);
  if (!lock) return tl::unexpected(lock.error());
  const auto files = check_store_files(options.directory, options.owner);
  if (!files) return tl::unexpected(files.error());
  const auto open_file = [&](const std::filesystem::path& path) {
    return LmdbFile::open(path, options.capacity_bytes, options.reserve_bytes,
                          options.commit_bytes_max);
  };
  if (!files->data_exists) {
    // Made under another name first: data.mdb is complete whenever it exists.
    if (auto made = open_file(files->pending); !made) return tl::unexpected(made.error());
    std::error_code renamed;
    std::filesystem::rename(files->pending, files->data, renamed);
    if (renamed) return tl::unexpected(file_error("cannot make", files->data, renamed.value()));
    if (auto synced = sync_directory(options.directory); !synced) {
      return tl::unexpected(synced.error());
    }
  }
  auto file = open_file(files->data);
  if (!file) return tl::unexpected(file.error());
  auto state = std::make_unique<State>(hash, std::move(options), std::move(*lock));
  state->file = std::move(*file);
  state->fresh = !files->data_exists;
  return std::unique_ptr<LmdbStore>(new LmdbStore(std::move(state)));
}

void LmdbStore::apply(std::span<const StorageRequest> requests,
                      std::vector<StorageCompletion>& completions) {
  while (!requests.empty()) {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    do {
      bytes += bytes_to_write(requests.subspan(count++, 1));
    } while (count < requests.size() && bytes < state_->options.commit_bytes_max);
    state_->run(requests.first(count), completions);
    requests = requests.subspan(count);
  }
}

void LmdbStore::State::run(Requests requests, std::vector<StorageCompletion>& completions) {
  Results results;
  if (try_together(requests, results)) {
    complete(requests, std::move(results), completions);
    return;
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    results.clear();
    try_together(requests.subspan(i, 1), results);
    complete(requests.subspan(i, 1), std::move(results), completions);
  }
}

bool LmdbStore::State::try_together(Requests requests, Results& results) {
  const bool single = requests.size() == 1;
  const bool writable = std::any_of(requests.begin(), requests.end(), writes);
  if (writable && !broken.empty()) {
    if (!single) return false;
    results.push_back(
        fail(ErrorCode::failed, "no writes since an earlier failure; restart the node: " + broken));
    return true;
  }
  const std::uint64_t bytes = bytes_to_write(requests);
  const bool room = bytes == 0 || file->make_room(bytes, single);
  if (!room && !single) return false;
  std::string call;
  const int error = transact(requests, writable, room, results, call);
  if (error == 0) return true;
  const bool full = file->means_full(error);
  const std::string message =
      "store " + options.directory.string() + ": " + call + ": " + mdb_strerror(error);
  if (writable) {
    ++counters.failed_commits;
    // What a failed sync left on the disk is unknown: no further write, hence no retry of it.
    if (!full) broken = message;
  }
  results.clear();
  if (!single) return false;
  results.push_back(fail(full ? ErrorCode::full : ErrorCode::failed, message));
  return true;
}

int LmdbStore::State::transact(Requests requests, bool writable, bool room, Results& results,
                               std::string& call) {
  LmdbTransaction transaction;
  call = "mdb_txn_begin";
  if (const int error = file->begin(writable, transaction); error != 0) return error;
  LmdbBatch batch(*file, *hash, {options.capacity_bytes, options.value_max}, transaction.get(),
                  writable, room);
  for (const StorageRequest& request : requests) {
    results.push_back(batch.run(request));
    if (batch.error() != 0) break;
  }
  if (batch.error() == 0) batch.finish();
  call = batch.call();
  if (batch.error() != 0 || !batch.dirty()) return batch.error();
  call = "mdb_txn_commit";
  if (const int error = file->commit(std::move(transaction)); error != 0) return error;
  ++counters.commits;
  // One for the pages, one for the page that makes them the current state.
  counters.syncs += 2;
  return 0;
}

void LmdbStore::State::complete(Requests requests, Results results,
                                std::vector<StorageCompletion>& completions) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    count(requests[i], results[i]);
    completions.push_back(
        {requests[i].node, requests[i].application, requests[i].tag, std::move(results[i])});
  }
}

void LmdbStore::State::count(const StorageRequest& request, const Result<StoreOutcome>& result) {
  if (!result) {
    counters.corrupt += result.error().code == ErrorCode::corrupt;
    counters.refused_full += result.error().code == ErrorCode::full;
  } else if (const auto* put = std::get_if<StorePut>(&request.operation)) {
    ++counters.puts;
    counters.bytes_written += put->value.size();
  } else if (std::holds_alternative<StoreErase>(request.operation)) {
    ++counters.erases;
  } else if (const auto* got = std::get_if<StoreGetDone>(&*result)) {
    ++counters.gets;
    counters.bytes_read += got->value.size();
  }
}

}  // namespace pastry::replica
