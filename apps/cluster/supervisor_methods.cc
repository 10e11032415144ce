// What the supervisor does on request: kill, restart, add, pause, members. Partitions:
// supervisor_partition.cc.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <random>
#include <utility>

#include "apps/cluster/ports.h"
#include "apps/cluster/supervisor.h"
#include "apps/control/target.h"

namespace pastry::cluster {
namespace {

using control::Json;

constexpr std::size_t kNodesMax = 4096;

std::size_t count_param(const Json& params) {
  const auto found = params.find("count");
  if (found == params.end() || !found->is_number_unsigned()) return 1;
  return std::min(found->get<std::size_t>(), kNodesMax);
}

bool flag_param(const Json& params, const char* name) {
  const auto found = params.find(name);
  return found != params.end() && found->is_boolean() && found->get<bool>();
}

bool names(const Child& child, const std::string& selector) {
  if (std::to_string(child.pid) == selector) return true;
  return selector.size() >= control::kIdDigitsMin &&
         std::any_of(child.ids.begin(), child.ids.end(),
                     [&](const std::string& id) { return id.starts_with(selector); });
}

}  // namespace

void Supervisor::add_methods() {
  server_->add_method("hello", [](const Call& call, const Json&) {
    call->result({{"kind", "cluster"}, {"pid", ::getpid()}, {"nodes", Json::array()}});
  });
  server_->add_method("members", [this](const Call& call, const Json&) { members(call); });
  const auto add_method = [&](const char* name, auto method) {
    server_->add_method(name, [this, method](const Call& call, const Json& params) {
      (this->*method)(call, params);
    });
  };
  add_method("kill", &Supervisor::kill);
  add_method("restart", &Supervisor::restart);
  add_method("add", &Supervisor::add);
  add_method("pause", &Supervisor::pause);
  add_method("partition", &Supervisor::partition);
  add_method("heal", &Supervisor::heal);
}

// The processes that "targets" (ids, their first digits, pids) name, or "random" ones, or "all".
Result<std::vector<std::size_t>> Supervisor::choose(const Json& params, bool dead) const {
  std::vector<std::size_t> candidates;
  for (const Child& child : children_) {
    if ((child.state == ChildState::dead) == dead) candidates.push_back(child.index);
  }
  const std::string state = dead ? "dead" : "living";
  if (flag_param(params, "random")) {
    const std::size_t count = count_param(params);
    if (candidates.size() < count) {
      return fail(ErrorCode::unavailable, "there are only " + std::to_string(candidates.size()) +
                                              " " + state + " processes");
    }
    std::random_device device;
    std::shuffle(candidates.begin(), candidates.end(), std::mt19937(device()));
    candidates.resize(count);
    return candidates;
  }
  if (flag_param(params, "all")) return candidates;
  std::vector<std::size_t> chosen;
  const auto targets = params.find("targets");
  if (targets == params.end() || !targets->is_array() || targets->empty()) {
    return fail(ErrorCode::invalid, "name nodes by id or pid, or give --random or --all");
  }
  for (const Json& target : *targets) {
    const std::string selector = target.is_string() ? target.get<std::string>() : "";
    const auto found = std::find_if(candidates.begin(), candidates.end(), [&](std::size_t index) {
      return names(children_[index], selector);
    });
    if (found == candidates.end() && selector.size() < control::kIdDigitsMin) {
      return fail(ErrorCode::invalid, "'" + selector +
                                          "' is no pid of the cluster; of an id at least four "
                                          "digits are needed");
    }
    if (found == candidates.end()) {
      return fail(ErrorCode::not_found,
                  "no " + state + " node of the cluster is '" + selector + "'");
    }
    if (std::find(chosen.begin(), chosen.end(), *found) == chosen.end()) chosen.push_back(*found);
  }
  return chosen;
}

void Supervisor::members(const Call& call) const {
  Json members = Json::array();
  for (const Child& child : children_) {
    for (const Json& node : children_json({child.index})) members.push_back(node);
  }
  call->result({{"members", std::move(members)}});
}

void Supervisor::kill(const Call& call, const Json& params) {
  const auto chosen = choose(params, false);
  if (!chosen) return call->error(chosen.error());
  const Json nodes = children_json(*chosen);
  for (const std::size_t index : *chosen) {
    children_[index].killed = true;
    ::kill(children_[index].pid, SIGKILL);
  }
  // They are gone when the answer comes.
  for (const std::size_t index : *chosen) {
    int status = 0;
    ::waitpid(children_[index].pid, &status, 0);
    died(children_[index], status);
  }
  call->result({{"killed", nodes}});
}

void Supervisor::restart(const Call& call, const Json& params) {
  const auto chosen = choose(params, true);
  if (!chosen) return call->error(chosen.error());
  for (const std::size_t index : *chosen) {
    if (auto launched = launch(children_[index], false); !launched) {
      return call->error(launched.error());
    }
  }
  waiting_.push_back({call, *chosen, {{"event", "restarted"}}});
}

void Supervisor::add(const Call& call, const Json& params) {
  const std::size_t count = count_param(params);
  if (children_.size() + count > kNodesMax) {
    return call->error({ErrorCode::invalid, "too many nodes"});
  }
  std::vector<std::size_t> added;
  for (std::size_t i = 0; i < count; ++i) {
    Child child = make_child(children_.size(), 1);
    const int port = base_port_ + static_cast<int>(child.index) * kPortsPerProcess;
    if (!check_ports(port, kPortsPerProcess)) {
      const auto found = find_free_ports(kPortsPerProcess);
      if (!found) return call->error(found.error());
      child.endpoint = "tcp://127.0.0.1:" + std::to_string(*found);
    }
    children_.push_back(std::move(child));
    added.push_back(children_.size() - 1);
    if (auto launched = launch(children_.back(), false); !launched) {
      return call->error(launched.error());
    }
  }
  waiting_.push_back({call, std::move(added), {{"event", "added"}}});
}

void Supervisor::pause(const Call& call, const Json& params) {
  const bool resume = flag_param(params, "resume");
  const auto chosen = choose(params, false);
  if (!chosen) return call->error(chosen.error());
  std::vector<std::size_t> changed;
  for (const std::size_t index : *chosen) {
    Child& child = children_[index];
    const ChildState before = resume ? ChildState::paused : ChildState::running;
    if (child.state != before) continue;
    ::kill(child.pid, resume ? SIGCONT : SIGSTOP);
    child.state = resume ? ChildState::running : ChildState::paused;
    if (resume && !sides_.empty()) partition_changed_ = true;
    changed.push_back(index);
  }
  call->result({{resume ? "resumed" : "paused", children_json(changed)}});
}

}  // namespace pastry::cluster
