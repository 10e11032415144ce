#include "apps/session.h"

#include <algorithm>
#include <chrono>

namespace pastry::cli {
namespace {

using Find = Result<control::Target> (*)(const std::string&, const std::string&,
                                         const control::Deadline&);

Result<Session> open(const Invocation& invocation, Find find) {
  Session session;
  session.timeout = invocation.timeout;
  session.deadline = control::Deadline::in(invocation.timeout);
  auto target = find(invocation.options.text("runtime-dir"), invocation.options.text("node"),
                     session.deadline);
  if (!target) return tl::unexpected<Error>(target.error());
  session.target = std::move(*target);
  return session;
}

}  // namespace

control::Json Session::params(control::Json own) const {
  own["node"] = target.node;
  if (timeout > Duration::zero()) own["timeout"] = std::chrono::duration<double>(timeout).count();
  return own;
}

Result<Session> connect(const Invocation& invocation) {
  return open(invocation, control::find_node);
}

Result<Session> connect_cluster(const Invocation& invocation) {
  return open(invocation, control::find_cluster);
}

Result<control::Json> ask(const Invocation& invocation, const std::string& method,
                          control::Json params) {
  const auto session = connect(invocation);
  if (!session) return tl::unexpected<Error>(session.error());
  return session->client().ask(method, session->params(std::move(params)), session->deadline);
}

control::Json pid_of(const control::Target& target, const std::string& id) {
  for (const control::Entry& entry : target.entries) {
    if (std::find(entry.nodes.begin(), entry.nodes.end(), id) != entry.nodes.end())
      return entry.pid;
  }
  return nullptr;
}

}  // namespace pastry::cli
