// The list of running nodes.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/control/runtime_dir.h"
#include "apps/control/target.h"
#include "tests/apps/scratch.h"

using namespace pastry;
using namespace pastry::control;
namespace fs = std::filesystem;

namespace {

RuntimeDir open(const Scratch& scratch) {
  auto directory = RuntimeDir::open(scratch.path() / "run");
  REQUIRE(directory);
  return std::move(*directory);
}

void write_entry(const Scratch& scratch, const std::string& kind, pid_t pid, std::uint64_t start,
                 const std::string& left_behind = "") {
  const std::string base = scratch.path() / "run" / (kind + "-" + std::to_string(pid));
  std::ofstream(base + ".json") << nlohmann::json{
      {"kind", kind},    {"pid", pid},   {"start_time", start},   {"endpoint", "ipc://nowhere"},
      {"nodes", {"00"}}, {"cluster", 0}, {"scratch", left_behind}};
  std::ofstream(base + ".sock") << "";
}

// A process that lives until the end of the test.
class Sleeper {
 public:
  Sleeper() : pid_(::fork()) {
    if (pid_ == 0) {
      ::pause();
      ::_exit(0);
    }
  }
  ~Sleeper() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

}  // namespace

TEST_CASE("an entry is listed as long as it is registered") {
  const Scratch scratch;
  const RuntimeDir directory = open(scratch);
  struct stat status {};
  REQUIRE(::stat(directory.path().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
  {
    Entry entry;
    entry.kind = "node";
    entry.endpoint = directory.endpoint("node");
    entry.nodes = {"aa", "bb"};
    const auto registration = directory.publish(entry);
    REQUIRE(registration);
    const auto entries = directory.entries();
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].pid == ::getpid());
    CHECK(entries[0].nodes == std::vector<std::string>{"aa", "bb"});
  }
  CHECK(directory.entries().empty());
  CHECK(fs::is_empty(directory.path()));
}

TEST_CASE("what dead processes left is removed, with their temporary data") {
  const Scratch scratch;
  const RuntimeDir directory = open(scratch);
  const fs::path data = scratch.path() / "pastry-cluster-abc";
  const fs::path precious = scratch.path() / "precious";
  fs::create_directories(data / "node-0");
  fs::create_directories(precious);
  pid_t dead = 0;
  {
    const Sleeper sleeper;
    dead = sleeper.pid();
    CHECK(process_start_time(dead) != 0);
  }
  write_entry(scratch, "cluster", dead, 5, data);
  write_entry(scratch, "node", dead, 5, precious);
  // The pid is in use again, by a younger process.
  write_entry(scratch, "node", ::getpid(), process_start_time(::getpid()) + 1);
  CHECK(directory.entries().empty());
  CHECK(fs::is_empty(directory.path()));
  CHECK_FALSE(fs::exists(data));
  CHECK(fs::exists(precious));
}

TEST_CASE("broken entries are ignored") {
  const Scratch scratch;
  const RuntimeDir directory = open(scratch);
  std::ofstream(directory.path() + "/node-1.json") << "{\"kind\": 7";
  std::ofstream(directory.path() + "/node-2.json") << R"({"kind":"node","pid":"x"})";
  CHECK(directory.entries().empty());
}

TEST_CASE("a stopped process is told from a running one") {
  const Sleeper sleeper;
  ::kill(sleeper.pid(), SIGSTOP);
  ::waitpid(sleeper.pid(), nullptr, WUNTRACED);
  CHECK(process_stopped(sleeper.pid()));
  CHECK_FALSE(process_stopped(::getpid()));
}

TEST_CASE("a path too long for a socket, or not a directory, is refused") {
  CHECK(RuntimeDir::open("/tmp/" + std::string(120, 'x')).error().code == ErrorCode::invalid);
  const Scratch scratch;
  std::ofstream(scratch.path() / "file") << "";
  CHECK(RuntimeDir::open(scratch.path() / "file").error().code == ErrorCode::failed);
}

TEST_CASE("whom a command talks to") {
  const Scratch scratch;
  const RuntimeDir directory = open(scratch);
  const std::string run = directory.path();
  const Deadline soon = Deadline::in(std::chrono::seconds(2));
  CHECK(find_node(run, "", soon).error().code == ErrorCode::unavailable);
  CHECK(find_cluster(run, "", soon).error().code == ErrorCode::unavailable);
  CHECK(find_node(run, "xyz", soon).error().code == ErrorCode::invalid);
  CHECK(find_node(run, "abcd", soon).error().code == ErrorCode::unavailable);
  const Sleeper one;
  const Sleeper two;
  write_entry(scratch, "node", one.pid(), process_start_time(one.pid()));
  write_entry(scratch, "node", two.pid(), process_start_time(two.pid()));
  const auto several = find_node(run, "", soon);
  CHECK(several.error().code == ErrorCode::invalid);
  CHECK(several.error().message.find(std::to_string(one.pid())) != std::string::npos);
  CHECK(several.error().message.find(std::to_string(two.pid())) != std::string::npos);
}
