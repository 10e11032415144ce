// How a user names a file: its id, or the link that `put --json` prints.
#pragma once

#include <string>

#include "pastry/core/error.h"
#include "pastry/core/storage.h"

namespace pastry::cli {

// 64 hexadecimal digits, with or without "pastry:" before them. Error: invalid.
Result<StoreName> parse_file_id(const std::string& text);

}  // namespace pastry::cli
