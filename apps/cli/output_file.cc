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

tl::unexpected<Error> cannot_write(const std::string& path, int reason) {
  return fail(ErrorCode::failed,
              "cannot write '" + path + "': " + std::generic_category().message(reason));
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
  const fs::file_status status = fs::status(path, ignored);
  if (fs::is_directory(status)) return cannot_write(path, EISDIR);
  if (fs::exists(status) && !fs::is_regular_file(status)) return open_device(path);
  if (fs::exists(status)) file.path_ = fs::canonical(path, ignored).string();
  const std::string folder = fs::path(file.path_).parent_path().string();
  file.fd_ = ::open(folder.empty() ? "." : folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, kMode);
  if (file.fd_ < 0) {
    const std::string temporary = beside(file.path_);
    guard(temporary);
    file.fd_ = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
    if (file.fd_ < 0) return cannot_write(path, errno);
    file.temporary_ = temporary;
  }
  return file;
}

// A device, a pipe or a socket is no place to put a file: it is written to.
Result<OutputFile> OutputFile::open_device(const std::string& path) {
  OutputFile file;
  file.path_ = path;
  file.in_place_ = true;
  file.fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
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
