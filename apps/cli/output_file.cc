#include "apps/cli/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace fs = std::filesystem;

namespace pastry::cli {
namespace {

// For the signal handler: the temporary file to remove. One command writes one file.
char temporary_path[4096];

extern "C" void remove_and_die(int signal) {
  if (temporary_path[0] != 0) ::unlink(temporary_path);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void guard(const std::string& path) {
  if (path.size() >= sizeof(temporary_path)) return;
  std::memcpy(temporary_path, path.c_str(), path.size() + 1);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::signal(signal, remove_and_die);
}

tl::unexpected<Error> cannot_write(const std::string& path, const std::string& reason) {
  return fail(ErrorCode::failed, "cannot write '" + path + "': " + reason);
}

tl::unexpected<Error> cannot_write(const std::string& path, int reason) {
  return cannot_write(path, std::generic_category().message(reason));
}

// Where an open file, a device or a pipe is meant, /dev/stdout and /dev/fd/N included.
bool in_place(const std::string& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  return path.starts_with("/dev/") || path.starts_with("/proc/") ||
         (fs::exists(status) && !fs::is_regular_file(status));
}

// The file itself where `path` is a link to it.
Result<std::string> target_of(const std::string& path) {
  std::error_code error;
  if (fs::exists(path, error)) {
    const fs::path target = fs::canonical(path, error);
    if (error) return cannot_write(path, error.message());
    return target.string();
  }
  if (fs::is_symlink(fs::symlink_status(path, error))) {
    return cannot_write(path, "it is a link to a file that does not exist");
  }
  return path;
}

std::string folder_of(const std::string& path) {
  const std::string folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

// Whoever may read or run the old file, and nobody else, may do so with the new one.
void copy_rights(const std::string& from, int to) {
  struct stat old {};
  if (::stat(from.c_str(), &old) != 0) return;
  // Another's file stays another's where that is allowed.
  if (::fchown(to, old.st_uid, old.st_gid) != 0 && errno != EPERM) return;
  ::fchmod(to, old.st_mode & 0777);
}

std::string beside(const std::string& path) {
  const fs::path target(path);
  return (target.parent_path() /
          ("." + target.filename().string() + ".pastry-" + std::to_string(::getpid())))
      .string();
}

constexpr mode_t kMode = 0666;  // the umask narrows it

}  // namespace

Result<OutputFile> OutputFile::open(const std::string& path) {
  OutputFile file;
  file.path_ = path;
  if (path == "-") {
    file.fd_ = STDOUT_FILENO;
    return file;
  }
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return cannot_write(path, EISDIR);
  if (in_place(path)) return open_in_place(path);
  auto target = target_of(path);
  if (!target) return tl::unexpected<Error>(target.error());
  file.path_ = std::move(*target);
  file.fd_ = ::open(folder_of(file.path_).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, kMode);
  if (file.fd_ < 0) {
    const std::string temporary = beside(file.path_);
    guard(temporary);
    file.fd_ = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
    if (file.fd_ < 0) return cannot_write(path, errno);
    file.temporary_ = temporary;
  }
  return file;
}

Result<void> OutputFile::check(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return cannot_write(path, EISDIR);
  if (in_place(path)) {
    if (::access(path.c_str(), W_OK) != 0) return cannot_write(path, errno);
    return {};
  }
  const auto target = target_of(path);
  if (!target) return tl::unexpected<Error>(target.error());
  if (::access(folder_of(*target).c_str(), W_OK | X_OK) != 0) return cannot_write(path, errno);
  return {};
}

// What is no file, or is open already, is written to and not replaced; what is in it stays.
Result<OutputFile> OutputFile::open_in_place(const std::string& path) {
  OutputFile file;
  file.path_ = path;
  file.in_place_ = true;
  file.fd_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
  if (file.fd_ < 0) return cannot_write(path, errno);
  return file;
}

OutputFile::~OutputFile() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)),
      in_place_(other.in_place_) {}

Result<void> OutputFile::write(ByteView bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return cannot_write(path_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> OutputFile::commit() {
  if (is_standard_output() || in_place_) return {};
  copy_rights(path_, fd_);
  if (temporary_.empty()) {
    const std::string temporary = beside(path_);
    const std::string source = "/proc/self/fd/" + std::to_string(fd_);
    guard(temporary);
    if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      return cannot_write(path_, errno);
    }
    temporary_ = temporary;
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return cannot_write(path_, errno);
  temporary_.clear();
  return {};
}

}  // namespace pastry::cli
