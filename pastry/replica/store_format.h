// The files of a durable store's directory, checked before LMDB maps them: internal to the engine.
#pragma once

#include <filesystem>
#include <string>

#include "pastry/core/error.h"

namespace pastry::replica {

inline constexpr int kStoreFormat = 1;

struct StoreFiles {
  std::filesystem::path data;     // data.mdb
  std::filesystem::path pending;  // where a new one is made before it gets its name
  bool data_exists = false;
};

// Checks, or for a new directory writes, the format version and owner, and that the data file is
// whole: its last page in use lies within it. The directory must be locked. Errors: conflict (other
// owner), incompatible (other format version), corrupt, failed.
Result<StoreFiles> check_store_files(const std::filesystem::path& directory,
                                     const std::string& owner);

}  // namespace pastry::replica
