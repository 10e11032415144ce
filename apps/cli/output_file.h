// A file that appears under its name only when it is complete.
#pragma once

#include <string>

#include "pastry/core/error.h"
#include "pastry/core/payload.h"

namespace pastry::cli {

class OutputFile {
 public:
  // "-": standard output. Otherwise a new file without a name in the directory of `path`, or, where
  // the file system has no such thing, under a temporary one; `path` may be a link to a file. A
  // device or a pipe, and what /dev/fd or /dev/stdout stands for, is written to as it is: at once,
  // and a pipe waits for its reader. Error: failed.
  static Result<OutputFile> open(const std::string& path);
  // Whether open() and commit() of this path should succeed, without touching anything. Error:
  // failed.
  static Result<void> check(const std::string& path);
  // Throws away what was not committed.
  ~OutputFile();
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;

  Result<void> write(ByteView bytes) const;
  // Syncs nothing: the overlay still has the data. Replaces an existing file, whose rights the new
  // one gets; other names of the old file (hard links) keep the old one.
  Result<void> commit();

  bool is_standard_output() const { return path_ == "-"; }

 private:
  OutputFile() = default;
  static Result<OutputFile> open_in_place(const std::string& path);

  std::string path_;
  std::string temporary_;  // empty while the file has no name
  int fd_ = -1;
  bool in_place_ = false;
};

}  // namespace pastry::cli
