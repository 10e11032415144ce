// pastry cluster wait-healthy: until the ring is right and every file has its copies.
#include <chrono>
#include <thread>

#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/session.h"

namespace pastry::cli {
namespace {

constexpr std::chrono::milliseconds kPause{500};
// So often in a row: what was just killed may not have been missed yet.
constexpr int kTimes = 3;

std::size_t living(const control::Json& members) {
  std::size_t count = 0;
  for (const control::Json& member : members) {
    if (member.value("state", "") == "running") ++count;
  }
  return count;
}

// The status if all is well.
Result<control::Json> look(const Invocation& invocation, const Session& cluster) {
  const auto members = cluster.client().ask("members", control::Json::object(), cluster.deadline);
  if (!members) return tl::unexpected<Error>(members.error());
  const std::size_t expected = living(members->value("members", control::Json::array()));
  auto status = ask(invocation, "status", {});
  if (!status) return status;
  const std::string verdict = status->value("verdict", "");
  const std::size_t nodes = status->value("nodes", std::size_t{0});
  if (nodes != expected) {
    return fail(ErrorCode::unavailable, std::to_string(nodes) + " of " + std::to_string(expected) +
                                            " nodes are in the ring (" + verdict + ")");
  }
  if (verdict == "healthy" || (verdict == "alone" && expected == 1)) return status;
  return fail(ErrorCode::unavailable, "the cluster is " + verdict);
}

Result<Exit> run(const Invocation& invocation) {
  const auto begin = std::chrono::steady_clock::now();
  const auto deadline = control::Deadline::in(invocation.timeout);
  // Nothing that one could wait for will happen without a supervisor.
  const auto cluster = connect_cluster(invocation);
  if (!cluster) return tl::unexpected<Error>(cluster.error());
  int healthy = 0;
  std::string why = "the cluster did not stay healthy";
  while (true) {
    auto status = look(invocation, *cluster);
    healthy = status ? healthy + 1 : 0;
    if (healthy == kTimes) {
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      (*status)["event"] = "healthy";
      (*status)["seconds"] = took.count();
      return invocation.json ? print(*status) : print_text("healthy\n");
    }
    if (!status && status.error().code == ErrorCode::invalid) {
      return tl::unexpected<Error>(status.error());
    }
    if (!status && status.error().code != ErrorCode::timed_out) why = status.error().message;
    if (deadline.passed()) {
      return fail(ErrorCode::timed_out, "timed out: " + why);
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

extern const Command kClusterWaitHealthyCommand;
const Command kClusterWaitHealthyCommand{
    .name = "cluster wait-healthy",
    .summary = "Waits until the ring is right, files have their copies and nothing is pending.",
    .example = "pastry cluster wait-healthy --timeout 60",
    .timeout = "120",
    .options = node_options({}),
    .run = run};

}  // namespace pastry::cli
