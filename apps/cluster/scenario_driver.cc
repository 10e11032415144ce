#include "apps/cluster/scenario_driver.h"

#include <algorithm>
#include <iomanip>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

namespace pastry::cluster {
namespace {

using control::Json;
using sim::Action;
using sim::ActionKind;
using sim::Expectation;
using sim::ExpectKind;
using sim::Verdict;

constexpr std::chrono::seconds kSupervisorPatience{120};
constexpr std::chrono::seconds kNodePatience{5};
constexpr std::chrono::milliseconds kNap{50};
constexpr const char* kInterrupted = "interrupted";

std::string count_text(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what;
}

std::string number_text(double value) {
  std::ostringstream text;
  text << std::setprecision(6) << value;
  return text.str();
}

// The neighbours that a node tells are those of the sorted list of all.
std::string check_neighbours(const Json& nodes, const std::vector<std::string>& ids) {
  for (const Json& node : nodes) {
    const std::string id = node.value("id", "");
    const auto self = std::lower_bound(ids.begin(), ids.end(), id);
    if (self == ids.end() || *self != id) return id + " is in the ring but does not run";
    const std::size_t at = static_cast<std::size_t>(self - ids.begin());
    const std::string& left = ids[(at + ids.size() - 1) % ids.size()];
    const std::string& right = ids[(at + 1) % ids.size()];
    if (ids.size() > 1 && (node.at("left") != Json(left) || node.at("right") != Json(right))) {
      return id + " has wrong neighbours";
    }
  }
  return {};
}

}  // namespace

ClusterDriver::ClusterDriver(std::unique_ptr<control::Client> supervisor, pid_t pid,
                             control::RuntimeDir runtime, std::uint64_t seed,
                             std::function<bool()> interrupted)
    : supervisor_(std::move(supervisor)),
      pid_(pid),
      runtime_(std::move(runtime)),
      begin_(Clock::now()),
      random_(seed),
      interrupted_(std::move(interrupted)),
      load_(seed),
      files_(std::to_string(pid), runtime_.path()) {}

Result<std::unique_ptr<ClusterDriver>> ClusterDriver::open(const std::string& supervisor, pid_t pid,
                                                           const std::string& runtime_dir,
                                                           std::uint64_t seed,
                                                           std::function<bool()> interrupted) {
  auto client = control::Client::connect(supervisor);
  if (!client) return tl::unexpected<Error>(client.error());
  auto runtime = control::RuntimeDir::open(runtime_dir);
  if (!runtime) return tl::unexpected<Error>(runtime.error());
  std::unique_ptr<ClusterDriver> driver(new ClusterDriver(
      std::move(*client), pid, std::move(*runtime), seed, std::move(interrupted)));
  if (auto updated = driver->update_load(); !updated) return tl::unexpected<Error>(updated.error());
  return driver;
}

Result<Json> ClusterDriver::ask(const std::string& method, const Json& params) {
  return supervisor_->ask(method, params, control::Deadline::in(kSupervisorPatience));
}

// --- Time ---

Duration ClusterDriver::now() const { return Clock::now() - begin_; }

Result<void> ClusterDriver::run_until(Duration time) {
  for (;;) {
    if (interrupted_()) return fail(ErrorCode::unavailable, kInterrupted);
    while (!pending_.empty() && pending_.begin()->first <= now()) {
      const Pending next = std::move(pending_.begin()->second);
      pending_.erase(pending_.begin());
      if (const auto done = ask(next.method, next.params); !done) {
        return tl::unexpected<Error>(done.error());
      }
      if (auto updated = update_load(); !updated) return updated;
    }
    const Duration left = time - now();
    if (left <= Duration::zero()) return {};
    std::this_thread::sleep_for(std::min<Duration>(left, kNap));
  }
}

void ClusterDriver::later(Duration delay, const char* method, Json params) {
  pending_.emplace(now() + delay, Pending{method, std::move(params)});
}

// --- Nodes ---

Result<std::vector<std::string>> ClusterDriver::members(const char* state) {
  const auto answer = ask("members", Json::object());
  if (!answer) return tl::unexpected<Error>(answer.error());
  std::vector<std::string> ids;
  for (const Json& member : answer->value("members", Json::array())) {
    if (member.value("state", "") == state) ids.push_back(member.value("id", ""));
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

Result<std::vector<std::string>> ClusterDriver::choose(const Action& action, const char* state) {
  auto ids = members(state);
  if (!ids) return ids;
  if (auto enough = sim::check_amount(action, ids->size()); !enough) {
    return tl::unexpected<Error>(enough.error());
  }
  const std::size_t count = action.amount.of(ids->size());
  if (action.adjacent && !ids->empty()) {
    const auto first = static_cast<std::ptrdiff_t>(random_() % ids->size());
    std::rotate(ids->begin(), ids->begin() + first, ids->end());
  } else {
    std::shuffle(ids->begin(), ids->end(), random_);
  }
  ids->resize(count);
  return ids;
}

// The load goes to the nodes that run, and judges by them.
Result<void> ClusterDriver::update_load() {
  const auto running = members("running");
  if (!running) return tl::unexpected<Error>(running.error());
  std::vector<LookupLoad::Source> sources;
  for (const control::Entry& entry : runtime_.entries()) {
    if (entry.kind != "node" || entry.cluster != pid_) continue;
    for (const std::string& id : entry.nodes) {
      if (std::binary_search(running->begin(), running->end(), id)) {
        sources.push_back({entry.endpoint, id});
      }
    }
  }
  load_.set_nodes(sources);
  return {};
}

Result<Json> ClusterDriver::ask_node(const char* method) {
  const auto running = members("running");
  if (!running) return tl::unexpected<Error>(running.error());
  Result<Json> answer = fail(ErrorCode::unavailable, "no node runs");
  for (const control::Entry& entry : runtime_.entries()) {
    if (entry.kind != "node" || entry.cluster != pid_ || entry.nodes.empty()) continue;
    if (!std::binary_search(running->begin(), running->end(), entry.nodes.front())) continue;
    auto client = control::Client::connect(entry.endpoint);
    if (!client) continue;
    answer = (*client)->ask(method, {{"timeout", 3.0}}, control::Deadline::in(kNodePatience));
    if (answer) return answer;
  }
  return answer;
}

// --- Actions ---

// What fails because everything is being taken down says nothing about the cluster.
Result<std::string> ClusterDriver::act(const Action& action) {
  auto done = carry_out(action);
  if (interrupted_()) return fail(ErrorCode::unavailable, kInterrupted);
  return done;
}

Result<std::string> ClusterDriver::carry_out(const Action& action) {
  switch (action.kind) {
    case ActionKind::kill:
    case ActionKind::pause:
      return stop_nodes(action);
    case ActionKind::restart:
      return revive(action);
    case ActionKind::join:
      return join(action);
    case ActionKind::resume:
      return resume();
    case ActionKind::partition:
      return partition(action);
    case ActionKind::heal: {
      const auto healed = ask("heal", Json::object());
      if (!healed) return tl::unexpected<Error>(healed.error());
      return std::string("healed");
    }
    case ActionKind::lookups:
      load_.set_rate(action.value);
      return number_text(action.value) + " lookups/s";
    case ActionKind::measure:
      load_.restart_counts();
      return std::string("figures are taken anew");
    case ActionKind::store:
      if (auto stored = files_.store(action.amount.number, action.bytes, random_); !stored) {
        return tl::unexpected<Error>(stored.error());
      }
      return "stored " + count_text(action.amount.number, "files");
    case ActionKind::wait:
      return std::string();
    case ActionKind::leave:
    case ActionKind::suspend:
    case ActionKind::clock:
    case ActionKind::block:
    case ActionKind::network:
      break;
  }
  return fail(ErrorCode::invalid, "a cluster cannot do this, only the simulator: pastry sim run");
}

Result<std::string> ClusterDriver::stop_nodes(const Action& action) {
  const auto chosen = choose(action, "running");
  if (!chosen) return tl::unexpected<Error>(chosen.error());
  if (chosen->empty()) return std::string("no node runs");
  const bool kills = action.kind == ActionKind::kill;
  const Json targets{{"targets", *chosen}};
  const auto done = ask(kills ? "kill" : "pause", targets);
  if (!done) return tl::unexpected<Error>(done.error());
  if (auto updated = update_load(); !updated) return tl::unexpected<Error>(updated.error());
  if (action.time > Duration::zero()) {
    Json undo = targets;
    if (!kills) undo["resume"] = true;
    later(action.time, kills ? "restart" : "pause", std::move(undo));
  }
  return (kills ? "killed " : "stopped ") + count_text(chosen->size(), "nodes");
}

Result<std::string> ClusterDriver::revive(const Action& action) {
  const auto chosen = choose(action, "dead");
  if (!chosen) return tl::unexpected<Error>(chosen.error());
  if (chosen->empty()) return std::string("no node is dead");
  const auto done = ask("restart", {{"targets", *chosen}});
  if (!done) return tl::unexpected<Error>(done.error());
  if (auto updated = update_load(); !updated) return tl::unexpected<Error>(updated.error());
  return "restarted " + count_text(chosen->size(), "nodes");
}

// Spread over a time, they come in a group each second.
Result<std::string> ClusterDriver::join(const Action& action) {
  if (action.into_one_gap) {
    return fail(ErrorCode::invalid,
                "a cluster cannot choose ids: 'into one gap' is for simulations");
  }
  const std::size_t total = action.amount.number;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(action.time).count();
  const auto groups = static_cast<std::size_t>(std::max<std::int64_t>(1, seconds));
  for (std::size_t group = 0; group < groups; ++group) {
    const std::size_t count = total * (group + 1) / groups - total * group / groups;
    if (count == 0) continue;
    later(std::chrono::seconds(static_cast<std::int64_t>(group)), "add", {{"count", count}});
  }
  return count_text(total, "nodes join");
}

Result<std::string> ClusterDriver::resume() {
  const auto done = ask("pause", {{"all", true}, {"resume", true}});
  if (!done) return tl::unexpected<Error>(done.error());
  if (auto updated = update_load(); !updated) return tl::unexpected<Error>(updated.error());
  return "resumed " + count_text(done->value("resumed", Json::array()).size(), "nodes");
}

Result<std::string> ClusterDriver::partition(const Action& action) {
  const auto done =
      ask("partition", {{"sides", action.amount.number}, {"one_way", action.one_way}});
  if (!done) return tl::unexpected<Error>(done.error());
  if (action.time > Duration::zero()) later(action.time, "heal", Json::object());
  return action.one_way ? std::string("one half is not heard")
                        : count_text(action.amount.number, "sides");
}

// --- Expectations ---

Result<Verdict> ClusterDriver::check_ring(bool healthy) {
  const auto ids = members("running");
  if (!ids) return tl::unexpected<Error>(ids.error());
  const auto ring = ask_node("ring");
  if (!ring) return Verdict{false, ring.error().message};
  const Json nodes = ring->value("nodes", Json::array());
  if (!ring->value("complete", false) || nodes.size() != ids->size()) {
    return Verdict{false, std::to_string(nodes.size()) + " of " + std::to_string(ids->size()) +
                              " nodes are in one ring"};
  }
  const std::string wrong = check_neighbours(nodes, *ids);
  if (!wrong.empty()) return Verdict{false, wrong};
  if (!healthy) return Verdict{true, "one ring of " + std::to_string(ids->size())};
  const auto status = ask_node("status");
  if (!status) return Verdict{false, status.error().message};
  const std::string verdict = status->value("verdict", "");
  return Verdict{verdict == "healthy", verdict};
}

Result<Verdict> ClusterDriver::check(const Expectation& expectation) {
  auto verdict = judge(expectation);
  if (interrupted_()) return fail(ErrorCode::unavailable, kInterrupted);
  return verdict;
}

Result<Verdict> ClusterDriver::judge(const Expectation& expectation) {
  switch (expectation.kind) {
    case ExpectKind::ring:
    case ExpectKind::healthy:
      return check_ring(expectation.kind == ExpectKind::healthy);
    case ExpectKind::nodes: {
      const auto ring = ask_node("ring");
      if (!ring) return Verdict{false, ring.error().message};
      const std::size_t nodes = ring->value("nodes", Json::array()).size();
      return Verdict{nodes == static_cast<std::size_t>(expectation.bound),
                     count_text(nodes, "in the ring")};
    }
    case ExpectKind::lookups: {
      const LoadCounts counts = load_.counts();
      const std::uint64_t judged = counts.answered + counts.failed;
      const double share =
          judged == 0 ? 0 : static_cast<double>(counts.answered) / static_cast<double>(judged);
      return Verdict{judged > 0 && share >= expectation.bound,
                     number_text(100 * share) + " % of " + std::to_string(judged) + " answered"};
    }
    case ExpectKind::wrong_root: {
      const LoadCounts counts = load_.counts();
      return Verdict{counts.wrong_root == 0,
                     std::to_string(counts.wrong_root) + " of " + std::to_string(counts.answered) +
                         (counts.example.empty() ? "" : "; ") + counts.example};
    }
    case ExpectKind::latency: {
      const LoadCounts counts = load_.counts();
      const double value = expectation.quantile <= 0.5 ? counts.p50_s : counts.p99_s;
      return Verdict{counts.answered > 0 && value <= expectation.bound, number_text(value) + " s"};
    }
    case ExpectKind::files: {
      const std::size_t missing = files_.count_missing();
      return Verdict{missing == 0 && files_.stored() > 0,
                     std::to_string(files_.stored() - missing) + " of " +
                         count_text(files_.stored(), "came back")};
    }
    case ExpectKind::joins:
    case ExpectKind::flips:
      break;
  }
  return fail(ErrorCode::invalid,
              "a cluster cannot check this, only the simulator: pastry sim run");
}

}  // namespace pastry::cluster
