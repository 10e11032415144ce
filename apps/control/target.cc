#include "apps/control/target.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <random>

#include "pastry/core/id.h"

namespace pastry::control {
namespace {

using Entries = std::vector<Entry>;

std::string describe(const Entry& entry) {
  std::string text = entry.kind + " pid " + std::to_string(entry.pid);
  if (entry.kind == "node" && !entry.nodes.empty()) text += " id " + entry.nodes.front();
  return text + " at " + entry.endpoint;
}

// Standalone nodes and clusters; nodes of a cluster count with it.
Entries heads(const Entries& entries) {
  Entries result;
  for (const Entry& entry : entries) {
    const bool supervised =
        entry.cluster != 0 && std::any_of(entries.begin(), entries.end(), [&](const Entry& other) {
          return other.kind == "cluster" && other.pid == entry.cluster;
        });
    if (!supervised) result.push_back(entry);
  }
  return result;
}

Result<Entry> only_head(const Entries& entries) {
  const Entries all = heads(entries);
  if (all.empty()) {
    return fail(ErrorCode::unavailable,
                "no node is running here; start one with 'pastry cluster --nodes 8', or name one "
                "with --node");
  }
  if (all.size() == 1) return all.front();
  std::string message = "several nodes or clusters are running; choose with --node:";
  for (const Entry& entry : all) message += " [" + describe(entry) + "]";
  return fail(ErrorCode::invalid, message);
}

std::string as_endpoint(const std::string& selector) {
  if (selector.find("://") != std::string::npos) return selector;
  if (selector.find('/') != std::string::npos) return "ipc://" + selector;
  return {};
}

struct Choice {
  Entry entry;
  std::string node;  // named, or empty
};

// A pid is decimal digits only and would be a valid id prefix too: an exact pid wins.
Result<Choice> select(const Entries& entries, const std::string& selector) {
  if (selector.empty()) {
    auto head = only_head(entries);
    if (!head) return tl::unexpected<Error>(head.error());
    return Choice{*head, {}};
  }
  if (const std::string endpoint = as_endpoint(selector); !endpoint.empty()) {
    for (const Entry& entry : entries) {
      if (entry.endpoint == endpoint) return Choice{entry, {}};
    }
    Entry unlisted;
    unlisted.kind = "node";
    unlisted.endpoint = endpoint;
    return Choice{unlisted, {}};
  }
  for (const Entry& entry : entries) {
    if (std::to_string(entry.pid) == selector) return Choice{entry, {}};
  }
  const auto digits = id_digits(selector);
  if (!digits) {
    return fail(ErrorCode::invalid,
                "--node takes an id or its first digits, a control socket or a "
                "pid, not '" +
                    selector + "'");
  }
  std::vector<Choice> matches;
  for (const Entry& entry : entries) {
    for (const std::string& id : entry.nodes) {
      if (id.starts_with(*digits)) matches.push_back({entry, id});
    }
  }
  if (matches.empty()) {
    return fail(ErrorCode::unavailable, "no running node has an id that begins with " + selector);
  }
  if (matches.size() > 1) {
    return fail(ErrorCode::invalid, "several ids begin with " + selector + ": " + matches[0].node +
                                        ", " + matches[1].node);
  }
  return matches.front();
}

// Connects and asks which nodes are active there.
Result<Target> greet(const Choice& choice, const Deadline& deadline) {
  auto client = Client::connect(choice.entry.endpoint);
  if (!client) return tl::unexpected<Error>(client.error());
  const Result<Json> hello = (*client)->ask("hello", Json::object(), deadline);
  if (!hello) return tl::unexpected<Error>(hello.error());
  Target target;
  target.node = choice.node;
  for (const Json& node : hello->value("nodes", Json::array())) {
    if (!target.node.empty()) break;
    if (node.value("active", false)) target.node = node.value("id", "");
  }
  if (target.node.empty() && hello->value("kind", "") == "node") {
    return fail(ErrorCode::unavailable, "the node at " + choice.entry.endpoint +
                                            " is not active: it has not joined a ring yet");
  }
  target.client = std::move(*client);
  return target;
}

Result<Target> any_of_cluster(const Entries& entries, pid_t cluster, const Deadline& deadline) {
  Entries nodes;
  for (const Entry& entry : entries) {
    if (entry.kind == "node" && entry.cluster == cluster && !process_stopped(entry.pid)) {
      nodes.push_back(entry);
    }
  }
  std::random_device device;
  std::shuffle(nodes.begin(), nodes.end(), std::mt19937(device()));
  Error last{ErrorCode::unavailable, "no node of the cluster is running"};
  for (const Entry& entry : nodes) {
    if (deadline.passed()) break;
    auto target = greet({entry, {}}, deadline.within(std::chrono::seconds(2)));
    if (target) return target;
    last = {ErrorCode::unavailable, target.error().message};
  }
  return tl::unexpected<Error>(last);
}

}  // namespace

std::optional<std::string> id_digits(std::string text) {
  if (text.empty() || text.size() > Id::kHexDigits) return std::nullopt;
  for (char& c : text) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  if (text.find_first_not_of("0123456789abcdef") != std::string::npos) return std::nullopt;
  return text;
}

Result<Target> find_node(const std::string& runtime_dir, const std::string& selector,
                         const Deadline& deadline) {
  const auto directory = RuntimeDir::open(runtime_dir);
  if (!directory) return tl::unexpected<Error>(directory.error());
  const Entries entries = directory->entries();
  const auto choice = select(entries, selector);
  if (!choice) return tl::unexpected<Error>(choice.error());
  const bool cluster = choice->entry.kind == "cluster";
  auto target =
      cluster ? any_of_cluster(entries, choice->entry.pid, deadline) : greet(*choice, deadline);
  if (!target) return target;
  target->entries = entries;
  target->cluster = cluster ? choice->entry.pid : choice->entry.cluster;
  return target;
}

Result<Target> find_cluster(const std::string& runtime_dir, const std::string& selector,
                            const Deadline& deadline) {
  const auto directory = RuntimeDir::open(runtime_dir);
  if (!directory) return tl::unexpected<Error>(directory.error());
  const Entries entries = directory->entries();
  Entries clusters;
  std::copy_if(entries.begin(), entries.end(), std::back_inserter(clusters),
               [](const Entry& entry) { return entry.kind == "cluster"; });
  Result<Choice> choice = [&]() -> Result<Choice> {
    if (!selector.empty()) return select(entries, selector);
    if (clusters.empty()) {
      return fail(ErrorCode::unavailable,
                  "no cluster is running here; start one with 'pastry cluster --nodes 8'");
    }
    return select(clusters, selector);
  }();
  if (!choice) return tl::unexpected<Error>(choice.error());
  if (choice->entry.kind != "cluster") {
    const pid_t supervisor = choice->entry.cluster;
    const auto found = std::find_if(clusters.begin(), clusters.end(),
                                    [&](const Entry& entry) { return entry.pid == supervisor; });
    if (found == clusters.end()) {
      return fail(ErrorCode::invalid, "this is not a cluster or a node of one: " + selector);
    }
    choice->entry = *found;
  }
  choice->node.clear();
  auto target = greet(*choice, deadline);
  if (!target) return target;
  target->entries = entries;
  target->cluster = choice->entry.pid;
  return target;
}

}  // namespace pastry::control
