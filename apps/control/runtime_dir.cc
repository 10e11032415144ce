#include "apps/control/runtime_dir.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <system_error>

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace pastry::control {
namespace {

constexpr std::size_t kEntryMax = 1U << 20;
// Only directories with this name are ever removed on behalf of a dead process.
constexpr const char* kScratchPrefix = "pastry-cluster-";

std::string default_path() {
  if (const char* path = std::getenv("PASTRY_RUNTIME_DIR"); path != nullptr && *path != 0) {
    return path;
  }
  if (const char* path = std::getenv("XDG_RUNTIME_DIR"); path != nullptr && *path != 0) {
    return std::string(path) + "/pastry";
  }
  return "/tmp/pastry-" + std::to_string(::getuid());
}

std::string reason() { return std::generic_category().message(errno); }

std::optional<Entry> read_entry(const fs::path& path) {
  std::ifstream file(path);
  std::string text(kEntryMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  const Json object = Json::parse(text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  try {
    Entry entry;
    entry.kind = object.at("kind").get<std::string>();
    entry.pid = object.at("pid").get<pid_t>();
    entry.start_time = object.at("start_time").get<std::uint64_t>();
    entry.endpoint = object.at("endpoint").get<std::string>();
    entry.nodes = object.at("nodes").get<std::vector<std::string>>();
    entry.cluster = object.at("cluster").get<pid_t>();
    entry.scratch = object.at("scratch").get<std::string>();
    return entry;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

void remove_scratch(const std::string& directory) {
  const fs::path path(directory);
  if (directory.empty() || !path.filename().string().starts_with(kScratchPrefix)) return;
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

// The fields of /proc/PID/stat after the name, which may contain anything: state first.
std::vector<std::string> process_fields(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t end = line.rfind(')');
  if (end == std::string::npos) return {};
  std::istringstream rest(line.substr(end + 1));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

}  // namespace

std::uint64_t process_start_time(pid_t pid) {
  constexpr std::size_t kStartTime = 19;  // field 22 of proc(5), counted from the state
  const std::vector<std::string> fields = process_fields(pid);
  if (fields.size() <= kStartTime || fields[0] == "Z" || fields[0] == "X") return 0;
  return std::strtoull(fields[kStartTime].c_str(), nullptr, 10);
}

bool process_stopped(pid_t pid) {
  const std::vector<std::string> fields = process_fields(pid);
  return !fields.empty() && (fields[0] == "T" || fields[0] == "t");
}

Registration::~Registration() {
  ::unlink(path_.c_str());
  ::unlink(socket_.c_str());
}

Result<RuntimeDir> RuntimeDir::open(std::string path) {
  if (path.empty()) path = default_path();
  constexpr std::size_t kNameMax = 32;  // "/cluster-4194304.sock" and a reserve
  if (path.size() + kNameMax >= sizeof(sockaddr_un::sun_path)) {
    return fail(ErrorCode::invalid, "runtime directory path is too long for a socket: " + path);
  }
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(ErrorCode::failed, "cannot make runtime directory " + path + ": " + reason());
  }
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return fail(ErrorCode::failed, "runtime directory " + path + " is not a directory");
  }
  if (status.st_uid != ::getuid()) {
    return fail(ErrorCode::failed, "runtime directory " + path + " belongs to another user");
  }
  if ((status.st_mode & 0077) != 0 && ::chmod(path.c_str(), 0700) != 0) {
    return fail(ErrorCode::failed, "runtime directory " + path + ": " + reason());
  }
  return RuntimeDir(std::move(path));
}

std::vector<Entry> RuntimeDir::entries() const {
  std::vector<Entry> live;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(path_, error)) {
    if (file.path().extension() != ".json") continue;
    std::optional<Entry> entry = read_entry(file.path());
    if (!entry) continue;
    if (process_start_time(entry->pid) == entry->start_time) {
      live.push_back(std::move(*entry));
      continue;
    }
    forget(entry->kind, entry->pid);
    remove_scratch(entry->scratch);
  }
  std::sort(live.begin(), live.end(), [](const Entry& a, const Entry& b) { return a.pid < b.pid; });
  return live;
}

std::string RuntimeDir::endpoint(const std::string& kind) const {
  return "ipc://" + path_ + "/" + kind + "-" + std::to_string(::getpid()) + ".sock";
}

Result<std::unique_ptr<Registration>> RuntimeDir::publish(Entry entry) const {
  entry.pid = ::getpid();
  entry.start_time = process_start_time(entry.pid);
  const std::string base = path_ + "/" + entry.kind + "-" + std::to_string(entry.pid);
  const std::string temporary = base + ".new";
  {
    std::ofstream file(temporary);
    file << Json{
        {"kind", entry.kind},         {"pid", entry.pid},     {"start_time", entry.start_time},
        {"endpoint", entry.endpoint}, {"nodes", entry.nodes}, {"cluster", entry.cluster},
        {"scratch", entry.scratch}};
    file.close();
    if (!file) return fail(ErrorCode::failed, "cannot write " + temporary + ": " + reason());
  }
  if (::rename(temporary.c_str(), (base + ".json").c_str()) != 0) {
    return fail(ErrorCode::failed, "cannot write " + base + ".json: " + reason());
  }
  return std::make_unique<Registration>(base + ".json", base + ".sock");
}

void RuntimeDir::forget(const std::string& kind, pid_t pid) const {
  const std::string base = path_ + "/" + kind + "-" + std::to_string(pid);
  for (const char* extension : {".json", ".sock", ".new"}) ::unlink((base + extension).c_str());
}

}  // namespace pastry::control
