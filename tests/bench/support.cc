#include "tests/bench/support.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>

namespace bench {
namespace {

volatile std::sig_atomic_t interrupted = 0;

constexpr auto kPoll = std::chrono::milliseconds(1);
constexpr int kLeafSet = 8;

}  // namespace

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double cpu_seconds(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

void* map_shared(std::size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  return at;
}

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

void wait_for(const std::function<bool()>& condition, double timeout_s, std::string_view what) {
  const auto begin = Clock::now();
  while (!condition()) {
    if (interrupted != 0) throw std::runtime_error("interrupted");
    if (seconds_since(begin) > timeout_s) {
      throw std::runtime_error("no end after " + std::to_string(static_cast<int>(timeout_s)) +
                               " s: " + std::string(what));
    }
    std::this_thread::sleep_for(kPoll);
  }
}

void wait_seconds(double seconds) {
  const auto begin = Clock::now();
  wait_for([&] { return seconds_since(begin) >= seconds; }, seconds + 1, "a pause");
}

Children::~Children() { kill_all(); }

pid_t Children::spawn(const std::function<void()>& body, const char* name) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid > 0) {
    pids_.push_back(pid);
    return pid;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  if (name != nullptr) prctl(PR_SET_NAME, name);
  // The parent decides when they end, also after Ctrl-C.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
  try {
    body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "process %d: %s\n", static_cast<int>(getpid()), error.what());
    _exit(1);
  }
  _exit(0);
}

void Children::check() const {
  for (const pid_t pid : pids_) {
    siginfo_t info{};
    if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == pid) {
      throw std::runtime_error("process " + std::to_string(pid) + " ended");
    }
  }
}

double Children::cpu_seconds() const {
  double sum = 0;
  for (const pid_t pid : pids_) sum += bench::cpu_seconds(pid);
  return sum;
}

void Children::kill_all() {
  for (const pid_t pid : pids_) kill(pid, SIGKILL);
  for (const pid_t pid : pids_) waitpid(pid, nullptr, 0);
  pids_.clear();
}

ScratchDirectory::ScratchDirectory(const std::filesystem::path& base, const std::string& name)
    : path_(base / (name + "." + std::to_string(getpid()))), owner_(getpid()) {
  std::filesystem::create_directories(path_);
}

ScratchDirectory::~ScratchDirectory() {
  if (getpid() != owner_) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

nlohmann::json surroundings(const std::string& benchmark) {
  double load = 0;
  (void)getloadavg(&load, 1);
  return {{"benchmark", benchmark},
          {"security", "insecure"},
          {"transport", "plaintext TCP on loopback"},
          {"cores", std::thread::hardware_concurrency()},
          {"load_before", load}};
}

std::unique_ptr<NodeProcess> open_node(const pastry::NodeId& id, int seed_port,
                                       pastry::Store& store, std::function<void()> on_active) {
  auto process = std::make_unique<NodeProcess>();
  pastry::host::Options options;
  options.config = pastry::Config::lan();
  options.config.leaf_set = kLeafSet;
  options.nodes.push_back({id, 1, id.high() ^ id.low()});
  options.store = &store;
  options.hash = &process->hash;
  options.transport.overlay = "bench";
  auto opened = pastry::host::Host::open(std::move(options));
  if (!opened) throw std::runtime_error(opened.error().message);
  process->host = std::move(*opened);
  process->services.scribe.hash = &process->hash;
  process->services.scribe.overlay = "bench";
  process->stack = std::make_unique<pastry::service::NodeStack>(process->host->node(0),
                                                                process->hash, process->services);
  process->host->on_event(
      [on_active = std::move(on_active)](std::size_t, const pastry::NodeEvent& event) {
        if (std::holds_alternative<pastry::NodeActivated>(event)) on_active();
      });
  if (seed_port == 0) {
    process->host->found(0);
    return process;
  }
  const auto joined = process->host->join(0, {"tcp://127.0.0.1:" + std::to_string(seed_port)});
  if (!joined) throw std::runtime_error(joined.error().message);
  return process;
}

std::unique_ptr<pastry::replica::LmdbStore> open_store(const pastry::Hash& hash,
                                                       const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  pastry::replica::LmdbStoreOptions options;
  options.directory = directory;
  auto opened = pastry::replica::LmdbStore::open(hash, options);
  if (!opened) throw std::runtime_error(opened.error().message);
  return std::move(*opened);
}

int port_of(const std::string& address) {
  return std::stoi(address.substr(address.rfind(':') + 1));
}

}  // namespace bench
