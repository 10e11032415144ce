// Files that a user names, read whole: configuration, scenarios, traces, delay matrices.
#pragma once

#include <cstddef>
#include <string>

#include "pastry/core/error.h"

namespace pastry::cli {

// Enough for whatever is written by hand.
inline constexpr std::size_t kTextFileBytesMax = std::size_t{16} << 20;

// What the file holds; a pipe is read to its end. Error: invalid, with the path and the reason (not
// there, not readable, a directory, more than `bytes_max` bytes).
Result<std::string> read_text_file(const std::string& path,
                                   std::size_t bytes_max = kTextFileBytesMax);

}  // namespace pastry::cli
