#include "apps/cluster/supervisor.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>
#include <utility>

#include "apps/cli/output.h"
#include "apps/cluster/ports.h"
#include "apps/control/client.h"
#include "pastry/core/random.h"

namespace fs = std::filesystem;

namespace pastry::cluster {
namespace {

using control::Json;

constexpr std::chrono::seconds kTick{1};
constexpr std::chrono::seconds kStopTimeout{5};
constexpr int kStepMs = 50;

std::string reason() { return std::generic_category().message(errno); }

}  // namespace

Supervisor::Supervisor(ClusterSettings settings) : settings_(std::move(settings)) {
  if (settings_.hosts == 0) settings_.hosts = settings_.nodes;
}

Result<std::unique_ptr<Supervisor>> Supervisor::open(ClusterSettings settings) {
  std::unique_ptr<Supervisor> supervisor(new Supervisor(std::move(settings)));
  for (const auto prepare : {&Supervisor::prepare_directories, &Supervisor::prepare_ports,
                             &Supervisor::prepare_control}) {
    if (auto done = (supervisor.get()->*prepare)(); !done) {
      return tl::unexpected<Error>(done.error());
    }
  }
  return supervisor;
}

Result<void> Supervisor::prepare_directories() {
  if (settings_.data_dir.empty()) {
    const char* parent = std::getenv("TMPDIR");
    std::string path =
        std::string(parent != nullptr && *parent != 0 ? parent : "/tmp") + "/pastry-cluster-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
      return fail(ErrorCode::failed, "cannot make " + path + ": " + reason());
    }
    settings_.data_dir = scratch_ = path;
    return {};
  }
  auto data = service::DataDir::open(settings_.data_dir, "cluster.lock");
  if (!data) return tl::unexpected<Error>(data.error());
  data_ = std::move(*data);
  settings_.data_dir = data_->path().string();
  std::error_code error;
  existed_ = fs::exists(settings_.data_dir + "/cluster.json", error);
  if (existed_) data_->keep();
  return {};
}

Result<void> Supervisor::prepare_ports() {
  const int count = static_cast<int>(settings_.hosts) * kPortsPerProcess;
  const std::string state = settings_.data_dir + "/cluster.json";
  int base = settings_.base_port;
  if (base == 0 && existed_) {
    // Where the nodes were: the addresses that they remember of each other.
    std::ifstream file(state);
    const Json saved = Json::parse(file, nullptr, false);
    if (saved.is_object() && saved.contains("base_port") &&
        saved["base_port"].is_number_unsigned()) {
      base = static_cast<int>(std::min<std::uint64_t>(saved["base_port"].get<std::uint64_t>(),
                                                      std::numeric_limits<std::uint16_t>::max()));
    }
    if (base != 0 && !check_ports(base, count)) base = 0;
  }
  if (base != 0) {
    if (auto checked = check_ports(base, count); !checked) return checked;
  } else {
    const auto found = find_free_ports(count);
    if (!found) return tl::unexpected<Error>(found.error());
    base = *found;
  }
  base_port_ = base;
  return existed_ ? write_state() : Result<void>{};
}

// From then on the data directory holds a cluster, with a member that can found the ring again.
Result<void> Supervisor::write_state() const {
  const std::string state = settings_.data_dir + "/cluster.json";
  std::ofstream file(state);
  file << Json{{"base_port", base_port_}} << "\n";
  file.close();
  if (!file) return fail(ErrorCode::failed, "cannot write " + state + ": " + reason());
  return {};
}

Result<void> Supervisor::prepare_control() {
  auto runtime = control::RuntimeDir::open(settings_.runtime_dir);
  if (!runtime) return tl::unexpected<Error>(runtime.error());
  runtime_ = std::make_unique<control::RuntimeDir>(std::move(*runtime));
  auto server = control::Server::open({runtime_->endpoint("cluster")});
  if (!server) return tl::unexpected<Error>(server.error());
  server_ = std::move(*server);
  add_methods();
  control::Entry entry;
  entry.kind = "cluster";
  entry.endpoint = endpoint();
  entry.scratch = scratch_;
  auto registration = runtime_->publish(std::move(entry));
  if (!registration) return tl::unexpected<Error>(registration.error());
  registration_ = std::move(*registration);

  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0) return fail(ErrorCode::failed, "cannot watch signals: " + reason());
  return {};
}

Supervisor::~Supervisor() {
  for (Child& child : children_) {
    if (child.state != ChildState::dead) ::kill(child.pid, SIGKILL);
  }
  for (Child& child : children_) {
    if (child.state != ChildState::dead) ::waitpid(child.pid, nullptr, 0);
    if (child.output >= 0) ::close(child.output);
    if (child.pid != 0) runtime_->forget("node", child.pid);
  }
  registration_.reset();
  if (signals_ >= 0) ::close(signals_);
  std::error_code ignored;
  if (!scratch_.empty()) fs::remove_all(scratch_, ignored);
}

Child Supervisor::make_child(std::size_t index, std::size_t nodes) const {
  Child child;
  child.index = index;
  child.nodes = nodes;
  child.endpoint =
      "tcp://127.0.0.1:" + std::to_string(base_port_ + static_cast<int>(index) * kPortsPerProcess);
  child.data_dir = settings_.data_dir + "/node-" + std::to_string(index);
  if (settings_.seed != 0 && nodes == 1) {
    Random random(settings_.seed + index);
    child.fixed_id = random.id().hex();
  }
  return child;
}

// Some members to join by: living ones first; if all are down, any that were members.
std::vector<std::string> Supervisor::seeds_for(const Child& child) const {
  constexpr std::size_t kSeeds = 4;
  std::vector<std::string> seeds;
  for (const bool living : {true, false}) {
    if (!living && !seeds.empty()) break;
    for (std::size_t i = 1; i <= children_.size() && seeds.size() < kSeeds; ++i) {
      const Child& other = children_[(child.index + i) % children_.size()];
      const bool lives = other.state == ChildState::running;
      if (&other != &child && lives == living && (living || other.born || existed_)) {
        seeds.push_back(other.endpoint);
      }
    }
  }
  return seeds;
}

Result<void> Supervisor::launch(Child& child, bool create) {
  std::vector<std::string> arguments{"node",
                                     "--json",
                                     "--listen=" + child.endpoint,
                                     "--data=" + child.data_dir,
                                     "--nodes=" + std::to_string(child.nodes),
                                     "--cluster-pid=" + std::to_string(::getpid()),
                                     "--runtime-dir=" + runtime_->path(),
                                     "--timeout=0"};
  if (!child.fixed_id.empty()) arguments.push_back("--id=" + child.fixed_id);
  if (const auto& places = settings_.locations; !places.empty()) {
    arguments.push_back("--location=" + places[child.index % places.size()]);
  }
  if (create) arguments.emplace_back("--create");
  if (!create) {
    for (const std::string& seed : seeds_for(child)) arguments.push_back("--join=" + seed);
  }
  arguments.insert(arguments.end(), settings_.node_flags.begin(), settings_.node_flags.end());
  return spawn(child, arguments);
}

Result<bool> Supervisor::start(const control::Deadline& deadline) {
  const std::size_t hosts = settings_.hosts;
  for (std::size_t i = 0; i < hosts; ++i) {
    const std::size_t nodes = settings_.nodes / hosts + (i < settings_.nodes % hosts ? 1 : 0);
    children_.push_back(make_child(i, nodes));
  }
  // A new ring needs its founder; an old one re-forms from all its members.
  std::size_t first = 0;
  if (!existed_) {
    if (auto launched = launch(children_[0], true); !launched) {
      return tl::unexpected<Error>(launched.error());
    }
    const auto founded = until(deadline, "the first node to start",
                               [&] { return children_[0].state == ChildState::running; });
    if (!founded || !*founded) return founded;
    if (auto written = write_state(); !written) return tl::unexpected<Error>(written.error());
    first = 1;
  }
  for (std::size_t i = first; i < hosts; ++i) {
    if (auto launched = launch(children_[i], false); !launched) {
      return tl::unexpected<Error>(launched.error());
    }
  }
  const auto started = until(deadline, "all nodes to be active", [&] {
    return std::all_of(children_.begin(), children_.end(),
                       [](const Child& child) { return child.state == ChildState::running; });
  });
  if (!started || !*started) return started;
  auto right = until(deadline, "the ring to be right", [&] { return ring_is_right(); });
  if (right && *right && data_) data_->keep();
  return right;
}

Result<bool> Supervisor::until(const control::Deadline& deadline, const char* what,
                               const std::function<bool()>& done) {
  while (!done()) {
    if (stop_asked_) return false;
    if (!death_.empty()) return fail(ErrorCode::failed, death_);
    if (deadline.passed()) {
      return fail(ErrorCode::timed_out, std::string("timed out waiting for ") + what);
    }
    step(deadline.wait_ms(kStepMs));
  }
  return true;
}

bool Supervisor::ring_is_right() {
  constexpr std::chrono::seconds kPatience{3};
  for (const control::Entry& entry : runtime_->entries()) {
    if (entry.kind != "node" || entry.cluster != ::getpid()) continue;
    auto client = control::Client::connect(entry.endpoint);
    if (!client) return false;
    const auto ring = (*client)->ask("ring", {{"timeout", 2.0}}, control::Deadline::in(kPatience));
    return ring && ring->value("complete", false) &&
           ring->value("nodes", Json::array()).size() == live_nodes();
  }
  return false;
}

std::size_t Supervisor::live_nodes() const {
  std::size_t count = 0;
  for (const Child& child : children_) {
    if (child.state == ChildState::running) count += child.nodes;
  }
  return count;
}

void Supervisor::run() {
  while (!stop_asked_) {
    if (!death_.empty()) cli::write_error("pastry cluster: " + std::exchange(death_, {}) + "\n");
    step(static_cast<int>(std::chrono::milliseconds(kTick).count()));
  }
  stop_all();
  // Who still waits for an answer learns that none will come.
  waiting_.clear();
  server_.reset();
}

// --- The loop ---

void Supervisor::step(int timeout_ms) {
  std::vector<zmq_pollitem_t> items{{server_->socket(), 0, ZMQ_POLLIN, 0},
                                    {nullptr, signals_, ZMQ_POLLIN, 0}};
  std::vector<std::size_t> readers;
  for (const Child& child : children_) {
    if (child.output < 0) continue;
    items.push_back({nullptr, child.output, ZMQ_POLLIN, 0});
    readers.push_back(child.index);
  }
  zmq_poll(items.data(), static_cast<int>(items.size()), timeout_ms);
  for (std::size_t i = 0; i < readers.size(); ++i) {
    if (items[i + 2].revents != 0) read_output(children_[readers[i]]);
  }
  if (items[1].revents != 0) read_signals();
  if (std::exchange(partition_changed_, false)) {
    if (auto applied = apply_partition(); !applied) {
      cli::write_error("pastry cluster: partition: " + applied.error().message + "\n");
    }
  }
  server_->serve();
  answer_waiting();
  const auto now = std::chrono::steady_clock::now();
  if (now - last_tick_ >= kTick) {
    last_tick_ = now;
    server_->tick();
  }
}

void Supervisor::read_signals() {
  std::array<signalfd_siginfo, 16> received{};
  const ssize_t size = ::read(signals_, received.data(), sizeof(received));
  for (std::size_t i = 0; size > 0 && i < static_cast<std::size_t>(size) / sizeof(received[0]);
       ++i) {
    if (static_cast<int>(received[i].ssi_signo) != SIGCHLD) interrupted_ = stop_asked_ = true;
  }
  reap();
}

void Supervisor::reap() {
  for (Child& child : children_) {
    int status = 0;
    if (child.state != ChildState::dead && ::waitpid(child.pid, &status, WNOHANG) == child.pid) {
      died(child, status);
    }
  }
}

void Supervisor::died(Child& child, int status) {
  child.state = ChildState::dead;
  runtime_->forget("node", child.pid);
  if (child.output >= 0) ::close(std::exchange(child.output, -1));
  if (child.killed || stop_asked_) return;
  death_ = "node process " + std::to_string(child.pid) + " ended unexpectedly (" +
           (WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                : "exit " + std::to_string(WEXITSTATUS(status))) +
           "): " + last_log_line(child);
}

void Supervisor::read_output(Child& child) {
  std::array<char, 4096> buffer{};
  constexpr std::size_t kLineMax = 1U << 20;
  const ssize_t size = ::read(child.output, buffer.data(), buffer.size());
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size > 0) child.line.append(buffer.data(), static_cast<std::size_t>(size));
  const bool complete = child.line.find('\n') != std::string::npos;
  if (complete) set_ready(child);
  if (complete || size <= 0 || child.line.size() > kLineMax) {
    ::close(std::exchange(child.output, -1));
  }
}

void Supervisor::set_ready(Child& child) {
  const Json ready = Json::parse(child.line, nullptr, false);
  if (!ready.is_object()) return;
  child.ids.clear();
  for (const Json& node : ready.value("nodes", Json::array())) {
    child.ids.push_back(node.value("id", ""));
  }
  child.state = ChildState::running;
  child.born = true;
  if (!sides_.empty()) partition_changed_ = true;
}

void Supervisor::answer_waiting() {
  for (Waiting& waiting : waiting_) {
    std::string dead;
    bool all = true;
    for (const std::size_t index : waiting.children) {
      const Child& child = children_[index];
      if (child.state == ChildState::dead) dead = last_log_line(child);
      if (child.state == ChildState::starting) all = false;
    }
    if (!dead.empty()) {
      waiting.call->error({ErrorCode::failed, "a node did not come up: " + dead});
    } else if (all) {
      waiting.answer["nodes"] = children_json(waiting.children);
      waiting.call->result(waiting.answer);
    }
  }
  std::erase_if(waiting_, [](const Waiting& waiting) { return !waiting.call->open(); });
}

void Supervisor::stop_all() {
  for (Child& child : children_) {
    if (child.state == ChildState::dead) continue;
    ::kill(child.pid, SIGTERM);
    ::kill(child.pid, SIGCONT);
  }
  const auto deadline = control::Deadline::in(kStopTimeout);
  const auto alive = [&] {
    return std::any_of(children_.begin(), children_.end(),
                       [](const Child& child) { return child.state != ChildState::dead; });
  };
  while (alive() && !deadline.passed()) step(deadline.wait_ms(kStepMs));
}

// --- What it tells ---

Json Supervisor::children_json(const std::vector<std::size_t>& children) const {
  Json nodes = Json::array();
  for (const std::size_t index : children) {
    const Child& child = children_[index];
    for (const std::string& id : child.ids) {
      nodes.push_back({{"id", id},
                       {"endpoint", child.endpoint},
                       {"pid", child.pid},
                       {"state", name(child.state)}});
    }
  }
  return nodes;
}

Json Supervisor::nodes_json() const {
  Json nodes = Json::array();
  for (const Child& child : children_) {
    for (const std::string& id : child.ids) {
      nodes.push_back({{"id", id}, {"endpoint", child.endpoint}, {"pid", child.pid}});
    }
  }
  return nodes;
}

}  // namespace pastry::cluster
