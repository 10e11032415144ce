// The name of the file system under a directory, for figures that depend on it.
#pragma once

#include <filesystem>
#include <string>

namespace bench {

std::string file_system(const std::filesystem::path& path);

}  // namespace bench
