#include "apps/service/data_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace fs = std::filesystem;

namespace pastry::service {
namespace {

std::string reason(int code) { return std::generic_category().message(code); }

// The topmost ancestor of `path`, itself included, that does not exist yet.
fs::path topmost_missing(fs::path path) {
  std::error_code ignored;
  fs::path missing;
  while (!path.empty() && !fs::exists(path, ignored)) {
    missing = path;
    if (path == path.parent_path()) break;
    path = path.parent_path();
  }
  return missing;
}

}  // namespace

Result<std::unique_ptr<DataDir>> DataDir::open(const fs::path& path, const char* lock_name) {
  std::unique_ptr<DataDir> directory(new DataDir);
  std::error_code error;
  directory->path_ = fs::absolute(path, error).lexically_normal();
  const std::string name = "data directory '" + path.string() + "'";
  directory->made_ = topmost_missing(directory->path_);
  fs::create_directories(directory->path_, error);
  if (error || !fs::is_directory(directory->path_, error)) {
    directory->keep_ = true;
    const std::string why = error ? error.message() : reason(ENOTDIR);
    return fail(ErrorCode::failed, "cannot make " + name + ": " + why);
  }
  directory->was_empty_ = fs::is_empty(directory->path_, error);
  directory->lock_path_ = directory->path_ / lock_name;
  directory->lock_is_new_ = !fs::exists(directory->lock_path_, error);
  directory->lock_ = ::open(directory->lock_path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (directory->lock_ < 0) {
    return fail(ErrorCode::failed, name + " is not writable: " + reason(errno));
  }
  if (::flock(directory->lock_, LOCK_EX | LOCK_NB) != 0) {
    directory->keep_ = true;
    return fail(ErrorCode::conflict, name + " is in use by another process");
  }
  return directory;
}

DataDir::~DataDir() {
  std::error_code error;
  if (!keep_ && lock_is_new_ && lock_ >= 0) fs::remove(lock_path_, error);
  if (!keep_ && (was_empty_ || !made_.empty())) {
    for (const auto& entry : fs::directory_iterator(path_, error)) {
      fs::remove_all(entry.path(), error);
    }
  }
  if (!keep_ && !made_.empty()) {
    // Above its own only what is empty: another node may have moved in beside it.
    error.clear();
    for (fs::path path = path_; fs::remove(path, error) || !error; path = path.parent_path()) {
      if (path == made_ || path == path.parent_path()) break;
    }
  }
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace pastry::service
