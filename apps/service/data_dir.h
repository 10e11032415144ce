// The data directory of a process: made, locked, and removed again if the start fails.
#pragma once

#include <filesystem>
#include <memory>

#include "pastry/core/error.h"

namespace pastry::service {

class DataDir {
 public:
  // Makes the directory if needed and locks it for this process, by a file of the given name in it.
  // Errors: conflict (in use by another process), failed (not a directory, not writable).
  static Result<std::unique_ptr<DataDir>> open(const std::filesystem::path& path,
                                               const char* lock_name = "lock");

  // Unlocks. If the directory did not exist or was empty before, and keep() was not called, it is
  // left as it was found; of one that held something only the lock is removed, if it is new.
  ~DataDir();
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;

  void keep() { keep_ = true; }
  const std::filesystem::path& path() const { return path_; }

 private:
  DataDir() = default;

  std::filesystem::path path_;
  std::filesystem::path lock_path_;
  std::filesystem::path made_;  // the topmost directory that did not exist; empty: none
  bool was_empty_ = false;
  bool keep_ = false;
  bool lock_is_new_ = false;
  int lock_ = -1;
};

}  // namespace pastry::service
