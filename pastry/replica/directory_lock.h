// One process per data directory.
//
// The lock is the kernel's (flock on the file `lock`), so it ends with the process however that
// dies. A second lock of the same directory fails, also within one process.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "pastry/core/error.h"

namespace pastry::replica {

class DirectoryLock {
 public:
  // Makes the directory if need be and locks it. Errors: conflict ("data directory in use"),
  // failed (not a directory, not writable; names path and reason).
  static Result<DirectoryLock> take(const std::filesystem::path& directory);

  DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}

  int fd_ = -1;
};

// Replaces a small file as a whole: written beside it, synced, renamed, directory synced.
Result<void> replace_file(const std::filesystem::path& path, const std::string& content);

// Makes what was created, renamed or removed in the directory durable.
Result<void> sync_directory(const std::filesystem::path& directory);

// `what`, the path and the reason that errno gives, as ErrorCode::failed.
Error file_error(const std::string& what, const std::filesystem::path& path, int error_number);

}  // namespace pastry::replica
