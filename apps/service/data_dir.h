// The data directory of a process: made, locked, and removed again if the start fails.
#pragma once

#include <filesystem>
#include <memory>

#include "pastry/core/error.h"

namespace pastry::service {

class DataDir {
 public:
  // Makes the directory if needed and locks it for this process. Errors: conflict (in use by
  // another process), failed (not a directory, not writable).
  static Result<std::unique_ptr<DataDir>> open(const std::filesystem::path& path);

  // Unlocks. If the directory did not exist or was empty before, and keep() was not called, it is
  // left as it was found.
  ~DataDir();
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;

  void keep() { keep_ = true; }
  const std::filesystem::path& path() const { return path_; }

 private:
  DataDir() = default;

  std::filesystem::path path_;
  std::filesystem::path made_;  // the topmost directory that did not exist; empty: none
  bool was_empty_ = false;
  bool keep_ = false;
  int lock_ = -1;
};

}  // namespace pastry::service
