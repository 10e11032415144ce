#include "apps/cluster/scenario_files.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace pastry::cluster {
namespace {

namespace fs = std::filesystem;

std::string shell_word(const std::string& word) {
  std::string result = "'";
  for (const char c : word) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

ScenarioFiles::ScenarioFiles(std::string cluster, std::string runtime_dir) {
  std::error_code ignored;
  program_ = shell_word(fs::read_symlink("/proc/self/exe", ignored).string());
  flags_ = " --node " + shell_word(cluster);
  if (!runtime_dir.empty()) flags_ += " --runtime-dir " + shell_word(runtime_dir);
  std::string pattern = (fs::temp_directory_path(ignored) / "pastry-scenario-XXXXXX").string();
  if (::mkdtemp(pattern.data()) != nullptr) scratch_ = pattern;
}

ScenarioFiles::~ScenarioFiles() {
  std::error_code ignored;
  if (!scratch_.empty()) fs::remove_all(scratch_, ignored);
}

Result<std::string> ScenarioFiles::run(const std::string& words) const {
  const std::string line = program_ + " " + words + flags_ + " 2>/dev/null";
  std::FILE* pipe = ::popen(line.c_str(), "r");
  if (pipe == nullptr) return fail(ErrorCode::failed, "cannot start a command");
  std::string output;
  char buffer[4096];
  for (;;) {
    const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe);
    if (got == 0) break;
    output.append(buffer, got);
  }
  if (::pclose(pipe) != 0) return fail(ErrorCode::failed, "pastry " + words + " failed");
  while (!output.empty() && output.back() == '\n') output.pop_back();
  return output;
}

Result<void> ScenarioFiles::store(std::size_t count, std::uint64_t bytes, std::mt19937_64& random) {
  for (std::size_t i = 0; i < count; ++i) {
    std::string content(bytes, '\0');
    for (char& c : content) c = static_cast<char>(random() & 0xff);
    const std::string path = scratch_ + "/" + std::to_string(files_.size());
    std::ofstream(path, std::ios::binary) << content;
    const Result<std::string> id = run("put " + shell_word(path));
    if (!id) return tl::unexpected<Error>(id.error());
    files_.push_back({*id, path});
  }
  return {};
}

std::size_t ScenarioFiles::count_missing() const {
  std::size_t missing = 0;
  const std::string back = scratch_ + "/back";
  for (const Stored& file : files_) {
    const auto read = run("get " + shell_word(file.id) + " -o " + shell_word(back));
    if (!read || read_file(back) != read_file(file.path)) ++missing;
    std::error_code ignored;
    fs::remove(back, ignored);
  }
  return missing;
}

}  // namespace pastry::cluster
