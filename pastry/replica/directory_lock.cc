#include "pastry/replica/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace pastry::replica {

namespace {

int open_retrying(const char* path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path, flags | O_CLOEXEC, 0600);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

bool write_all(int fd, const std::string& content) {
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t n = ::write(fd, content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

Error file_error(const std::string& what, const std::filesystem::path& path, int error_number) {
  return {error_number == ENOSPC || error_number == EDQUOT ? ErrorCode::full : ErrorCode::failed,
          what + " " + path.string() + ": " + std::strerror(error_number)};
}

Result<DirectoryLock> DirectoryLock::take(const std::filesystem::path& directory) {
  std::error_code made;
  std::filesystem::create_directories(directory, made);
  if (made) {
    return tl::unexpected(file_error("cannot make data directory", directory, made.value()));
  }
  const std::filesystem::path path = directory / "lock";
  const int fd = open_retrying(path.c_str(), O_RDWR | O_CREAT);
  if (fd < 0) {
    if (errno == EACCES || errno == EROFS || errno == EPERM) {
      return fail(ErrorCode::failed, "data directory " + directory.string() +
                                         " is not writable: " + std::strerror(errno));
    }
    return tl::unexpected(file_error("cannot use data directory", directory, errno));
  }
  DirectoryLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return fail(ErrorCode::conflict,
                  "data directory in use: another process has locked " + path.string());
    }
    return tl::unexpected(file_error("cannot lock", path, errno));
  }
  return lock;
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> sync_directory(const std::filesystem::path& directory) {
  const int fd = open_retrying(directory.c_str(), O_RDONLY | O_DIRECTORY);
  if (fd < 0) return tl::unexpected(file_error("cannot open", directory, errno));
  const int synced = ::fsync(fd);
  const int error_number = errno;
  ::close(fd);
  if (synced != 0) return tl::unexpected(file_error("cannot sync", directory, error_number));
  return {};
}

Result<void> replace_file(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::path fresh = path;
  fresh += ".new";
  const int fd = open_retrying(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC);
  if (fd < 0) return tl::unexpected(file_error("cannot write", fresh, errno));
  const bool written = write_all(fd, content) && ::fsync(fd) == 0;
  const int error_number = errno;
  ::close(fd);
  if (!written) {
    ::unlink(fresh.c_str());
    return tl::unexpected(file_error("cannot write", fresh, error_number));
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    return tl::unexpected(file_error("cannot rename", fresh, errno));
  }
  return sync_directory(path.parent_path());
}

}  // namespace pastry::replica
