// How fuzzed files are cut up: small blocks and short lists, so that small files have every shape.
#pragma once

#include <cstddef>
#include <vector>

#include "past/past.h"
#include "pastry/core/hash.h"

namespace pastry::cli {

// Up to one block, a list of blocks, a list of such lists.
inline constexpr std::size_t kBlockBytes = 1000;
inline constexpr std::size_t kManifestEntries = 2;
inline constexpr std::size_t kFileBytesMax = 3500;

// The names of all entries of a file of `size` bytes, the one under its id first.
std::vector<StoreName> file_parts(const Hash& hash, const past::FileId& id, std::size_t size);

}  // namespace pastry::cli
