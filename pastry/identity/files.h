// Small files that are whole or not there: read with a bound, created once, replaced atomically.
// Internal.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "pastry/core/error.h"

namespace pastry::identity {

// The folder and those above it, made with `mode` where they do not exist. Error: failed.
Result<void> make_folder(const std::filesystem::path& folder, mode_t mode);

// Errors: not_found, failed, corrupt (larger than `max` bytes), and refused if `secret` and others
// than the owner may read or write it.
Result<std::string> read_file(const std::filesystem::path& file, std::size_t max,
                              bool secret = false);

// The file has either its old or the new contents, whenever the machine stops; the new ones are on
// disk when this returns. Error: failed, full.
Result<void> replace_file(const std::filesystem::path& file, std::string_view contents,
                          mode_t mode);

// As replace_file, but an existing file stays: false then.
Result<bool> create_file(const std::filesystem::path& file, std::string_view contents, mode_t mode);

}  // namespace pastry::identity
