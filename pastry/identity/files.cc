#include "pastry/identity/files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace pastry::identity {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> failed(const fs::path& file, const char* what, int error) {
  const ErrorCode code = error == ENOSPC || error == EDQUOT ? ErrorCode::full : ErrorCode::failed;
  return fail(code, file.string() + ": " + what + ": " + std::generic_category().message(error));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  explicit operator bool() const { return fd_ >= 0; }
  int operator*() const { return fd_; }

 private:
  int fd_;
};

Result<void> sync_folder(const fs::path& folder) {
  const char* name = folder.empty() ? "." : folder.c_str();
  const Descriptor descriptor(::open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor) return failed(folder, "cannot open", errno);
  if (::fsync(*descriptor) != 0) return failed(folder, "cannot sync", errno);
  return {};
}

Result<void> write_all(int fd, const fs::path& file, std::string_view contents) {
  while (!contents.empty()) {
    const ssize_t written = ::write(fd, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(file, "cannot write", errno);
    contents.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd) != 0) return failed(file, "cannot sync", errno);
  return {};
}

// A file beside `file` that disappears again unless it was renamed.
class Temporary {
 public:
  explicit Temporary(const fs::path& file)
      : path_(file.parent_path() / ("." + file.filename().string() + ".XXXXXX")) {}
  ~Temporary() {
    if (made_) ::unlink(path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  const std::string& path() const { return path_; }

  Result<void> write(std::string_view contents, mode_t mode) {
    const Descriptor descriptor(::mkostemp(path_.data(), O_CLOEXEC));
    if (!descriptor) return failed(path_, "cannot create", errno);
    made_ = true;
    if (::fchmod(*descriptor, mode) != 0) return failed(path_, "cannot set the mode", errno);
    return write_all(*descriptor, path_, contents);
  }

 private:
  std::string path_;
  bool made_ = false;
};

}  // namespace

Result<void> make_folder(const fs::path& folder, mode_t mode) {
  if (folder.empty() || ::mkdir(folder.c_str(), mode) == 0) return {};
  if (errno == EEXIST) {
    std::error_code ignored;
    if (fs::is_directory(folder, ignored)) return {};
    return fail(ErrorCode::failed, folder.string() + ": is not a folder");
  }
  if (errno != ENOENT) return failed(folder, "cannot create the folder", errno);
  if (auto made = make_folder(folder.parent_path(), mode); !made) return made;
  if (::mkdir(folder.c_str(), mode) == 0 || errno == EEXIST) return {};
  return failed(folder, "cannot create the folder", errno);
}

Result<std::string> read_file(const fs::path& file, std::size_t max, bool secret) {
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor && errno == ENOENT)
    return fail(ErrorCode::not_found, file.string() + ": does not exist");
  if (!descriptor) return failed(file, "cannot open", errno);
  struct stat status {};
  if (::fstat(*descriptor, &status) != 0) return failed(file, "cannot open", errno);
  if (!S_ISREG(status.st_mode))
    return fail(ErrorCode::failed, file.string() + ": is not a regular file");
  if (secret && (status.st_mode & 077) != 0)
    return fail(ErrorCode::refused,
                file.string() + ": others may read this secret; run chmod 600 on it");

  std::string contents(max + 1, '\0');
  std::size_t size = 0;
  while (size <= max) {
    const ssize_t got = ::read(*descriptor, contents.data() + size, contents.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(file, "cannot read", errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > max) return fail(ErrorCode::corrupt, file.string() + ": larger than it can be");
  contents.resize(size);
  return contents;
}

Result<void> replace_file(const fs::path& file, std::string_view contents, mode_t mode) {
  Temporary temporary(file);
  if (auto written = temporary.write(contents, mode); !written) return written;
  if (::rename(temporary.path().c_str(), file.c_str()) != 0)
    return failed(file, "cannot replace", errno);
  return sync_folder(file.parent_path());
}

Result<bool> create_file(const fs::path& file, std::string_view contents, mode_t mode) {
  Temporary temporary(file);
  if (auto written = temporary.write(contents, mode); !written)
    return tl::unexpected<Error>(written.error());
  if (::link(temporary.path().c_str(), file.c_str()) != 0) {
    if (errno == EEXIST) return false;
    return failed(file, "cannot create", errno);
  }
  return sync_folder(file.parent_path()).map([] { return true; });
}

}  // namespace pastry::identity
