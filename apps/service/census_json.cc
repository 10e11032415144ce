#include "apps/service/census_json.h"

#include <algorithm>
#include <iterator>

#include "pastry/replica/options.h"

namespace pastry::service {
namespace {

using Json = nlohmann::json;

// Nodes that hold entries which they have not counted yet.
std::size_t uncounted(const Census& census) {
  return static_cast<std::size_t>(
      std::count_if(census.nodes.begin(), census.nodes.end(),
                    [](const auto& node) { return node.second.statistics.uncounted; }));
}

NodeStatistics sum(const Census& census) {
  NodeStatistics total;
  for (const auto& [id, report] : census.nodes) {
    const NodeStatistics& one = report.statistics;
    total.blobs += one.blobs;
    total.records += one.records;
    total.bytes += one.bytes;
    total.files += one.files;
    total.under_replicated += one.under_replicated;
    total.bytes_to_repair += one.bytes_to_repair;
    total.short_of_nodes += one.short_of_nodes;
    total.nodes_wanted = std::max(total.nodes_wanted, one.nodes_wanted);
    total.counted_age_ms = std::max(total.counted_age_ms, one.counted_age_ms);
    total.pending_pulls += one.pending_pulls;
    total.pending_pull_bytes += one.pending_pull_bytes;
    total.settled = total.settled && one.settled;
    total.topics += one.topics;
    total.forwarded += one.forwarded;
    total.delivered += one.delivered;
    total.retransmitted += one.retransmitted;
    total.dropped += one.dropped;
  }
  return total;
}

struct Verdict {
  const char* verdict;
  std::string advice;
};

Verdict judge(const Census& census, const NodeStatistics& total, bool right) {
  if (!right) {
    return {"converging",
            "The ring is repairing itself; wait some seconds. If it lasts, look at the "
            "nodes under 'unreachable'."};
  }
  if (total.under_replicated > 0 || total.pending_pulls > 0) {
    return {"repairing", "Copies are being restored; keep all nodes up until it is done."};
  }
  if (!total.settled) return {"checking", "Nodes are comparing their entries; nothing to do."};
  if (total.short_of_nodes > 0 && census.nodes.size() > 1) {
    const std::uint64_t more =
        total.nodes_wanted - std::min<std::uint64_t>(total.nodes_wanted, census.nodes.size());
    return {"short", std::to_string(total.short_of_nodes) + " entries want up to " +
                         std::to_string(total.nodes_wanted) + " copies on as many processes; " +
                         (more > 0 ? "start " + std::to_string(more) + " more nodes."
                                   : "start more processes.")};
  }
  if (census.nodes.size() == 1) {
    return {"alone", "A single node holds everything; join more nodes to keep copies."};
  }
  return {"healthy", "Nothing to do."};
}

}  // namespace

bool ring_is_right(const Census& census) {
  if (!census.unreachable.empty() || census.truncated) return false;
  for (auto node = census.nodes.begin(); node != census.nodes.end(); ++node) {
    const auto& [id, report] = *node;
    if (!report.active) return false;
    if (census.nodes.size() == 1) return !report.neighbours;
    const auto left =
        node == census.nodes.begin() ? std::prev(census.nodes.end()) : std::prev(node);
    const auto next = std::next(node);
    const auto right = next == census.nodes.end() ? census.nodes.begin() : next;
    if (!report.neighbours || report.neighbours->left != left->first ||
        report.neighbours->right != right->first) {
      return false;
    }
  }
  return true;
}

Json ring_json(const Census& census) {
  Json nodes = Json::array();
  for (const auto& [id, report] : census.nodes) {
    Json left;
    Json right;
    if (report.neighbours) {
      left = report.neighbours->left.hex();
      right = report.neighbours->right.hex();
    }
    nodes.push_back(
        {{"id", id.hex()}, {"endpoint", report.endpoint}, {"left", left}, {"right", right}});
  }
  Json unreachable = Json::array();
  for (const NodeId& id : census.unreachable) unreachable.push_back(id.hex());
  return {{"nodes", std::move(nodes)},
          {"complete", ring_is_right(census)},
          {"unreachable", std::move(unreachable)},
          {"truncated", census.truncated}};
}

Json status_json(const Census& census) {
  const NodeStatistics total = sum(census);
  const bool right = ring_is_right(census);
  const auto [verdict, advice] = judge(census, total, right);
  Json eta = 0;
  if (total.bytes_to_repair > 0) {
    // Each node fetches at the capped rate what it lacks.
    const double rate = static_cast<double>(replica::Options{}.repair_bytes_per_second);
    eta = static_cast<double>(total.bytes_to_repair) / rate;
  }
  Json unreachable = Json::array();
  for (const NodeId& id : census.unreachable) unreachable.push_back(id.hex());
  return {{"verdict", verdict},
          {"advice", advice},
          {"nodes", census.nodes.size()},
          {"ring_right", right},
          {"unreachable", std::move(unreachable)},
          {"files", total.files},
          {"copies", total.blobs},
          {"records", total.records},
          {"bytes", total.bytes},
          {"under_replicated", total.under_replicated},
          {"bytes_to_repair", total.bytes_to_repair},
          {"short_of_nodes", total.short_of_nodes},
          {"counted_age_s", static_cast<double>(total.counted_age_ms) / 1000},
          {"uncounted", uncounted(census)},
          {"pending_pulls", total.pending_pulls},
          {"settled", total.settled},
          {"repair_eta_s", eta},
          {"topics", total.topics},
          {"messages",
           {{"forwarded", total.forwarded},
            {"delivered", total.delivered},
            {"retransmitted", total.retransmitted},
            {"dropped", total.dropped}}}};
}

}  // namespace pastry::service
