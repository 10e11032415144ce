#include "apps/service/lookup_codec.h"

#include <capnp/message.h>

#include <algorithm>

#include <lookup.capnp.h>
#include "pastry/replica/capnp_frame.h"

namespace pastry::service {
namespace {

void write(schema::Id::Builder to, const Id& id) {
  to.setHigh(id.high());
  to.setLow(id.low());
}

Id read(schema::Id::Reader from) { return {from.getHigh(), from.getLow()}; }

Result<std::string> read(capnp::Text::Reader text) {
  if (text.size() > kEndpointMax) return fail(ErrorCode::invalid, "endpoint too long");
  return std::string(text.begin(), text.size());
}

template <typename List>
void write_hops(List to, const std::vector<TraceHop>& path) {
  for (unsigned i = 0; i < to.size(); ++i) {
    write(to[i].initId(), path[i].id);
    to[i].setEndpoint(path[i].endpoint);
    to[i].setDelayNs(path[i].delay ? path[i].delay->count() : -1);
  }
}

template <typename List>
Result<std::vector<TraceHop>> read_hops(List from) {
  if (from.size() > kTraceHopsMax) return fail(ErrorCode::invalid, "path too long");
  std::vector<TraceHop> path;
  for (const auto hop : from) {
    auto endpoint = read(hop.getEndpoint());
    if (!endpoint) return tl::unexpected<Error>(endpoint.error());
    TraceHop value{read(hop.getId()), std::move(*endpoint), std::nullopt};
    if (hop.getDelayNs() >= 0) value.delay = Duration(hop.getDelayNs());
    path.push_back(std::move(value));
  }
  return path;
}

void write_statistics(schema::Report::Builder to, const NodeStatistics& from) {
  to.setBlobs(from.blobs);
  to.setRecords(from.records);
  to.setBytes(from.bytes);
  to.setFiles(from.files);
  to.setUnderReplicated(from.under_replicated);
  to.setBytesToRepair(from.bytes_to_repair);
  to.setShortOfNodes(from.short_of_nodes);
  to.setNodesWanted(from.nodes_wanted);
  to.setCountedAgeMs(from.counted_age_ms);
  to.setUncounted(from.uncounted);
  to.setPendingPulls(from.pending_pulls);
  to.setPendingPullBytes(from.pending_pull_bytes);
  to.setSettled(from.settled);
  to.setTopics(from.topics);
  to.setForwarded(from.forwarded);
  to.setDelivered(from.delivered);
  to.setRetransmitted(from.retransmitted);
  to.setDropped(from.dropped);
}

NodeStatistics read_statistics(schema::Report::Reader from) {
  NodeStatistics to;
  to.blobs = from.getBlobs();
  to.records = from.getRecords();
  to.bytes = from.getBytes();
  to.files = from.getFiles();
  to.under_replicated = from.getUnderReplicated();
  to.bytes_to_repair = from.getBytesToRepair();
  to.short_of_nodes = from.getShortOfNodes();
  to.nodes_wanted = from.getNodesWanted();
  to.counted_age_ms = from.getCountedAgeMs();
  to.uncounted = from.getUncounted();
  to.pending_pulls = from.getPendingPulls();
  to.pending_pull_bytes = from.getPendingPullBytes();
  to.settled = from.getSettled();
  to.topics = from.getTopics();
  to.forwarded = from.getForwarded();
  to.delivered = from.getDelivered();
  to.retransmitted = from.getRetransmitted();
  to.dropped = from.getDropped();
  return to;
}

void write_report(schema::Report::Builder to, const NodeReport& report) {
  write(to.initAsked(), report.asked);
  write(to.initId(), report.id);
  to.setEndpoint(report.endpoint);
  to.setActive(report.active);
  to.setHasNeighbours(report.neighbours.has_value());
  if (report.neighbours) {
    write(to.initLeft(), report.neighbours->left);
    write(to.initRight(), report.neighbours->right);
  }
  const auto count = static_cast<unsigned>(std::min(report.known.size(), kKnownMax));
  auto known = to.initKnown(count);
  for (unsigned i = 0; i < count; ++i) write(known[i], report.known[i]);
  write_statistics(to, report.statistics);
}

Result<NodeReport> read_report(schema::Report::Reader from) {
  NodeReport report;
  report.asked = read(from.getAsked());
  report.id = read(from.getId());
  auto endpoint = read(from.getEndpoint());
  if (!endpoint) return tl::unexpected<Error>(endpoint.error());
  report.endpoint = std::move(*endpoint);
  report.active = from.getActive();
  if (from.getHasNeighbours()) {
    report.neighbours = NodeReport::Neighbours{read(from.getLeft()), read(from.getRight())};
  }
  if (from.getKnown().size() > kKnownMax) return fail(ErrorCode::invalid, "too many known nodes");
  for (const auto id : from.getKnown()) report.known.push_back(read(id));
  report.statistics = read_statistics(from);
  return report;
}

struct Writer {
  schema::LookupMessage::Builder to;

  void operator()(const LookupProbe&) { to.setLookup(); }
  void operator()(const CensusProbe&) { to.setCensus(); }
  void operator()(const TraceProbe& probe) {
    write_hops(to.initTrace(static_cast<unsigned>(probe.path.size())), probe.path);
  }
  void operator()(const TraceAnswer& answer) {
    write_hops(to.initTraced(static_cast<unsigned>(answer.path.size())), answer.path);
  }
  void operator()(const NodeReport& report) { write_report(to.initReport(), report); }
};

Result<LookupMessage> read_message(schema::LookupMessage::Reader from) {
  LookupMessage message;
  message.call = from.getCall();
  switch (from.which()) {
    case schema::LookupMessage::LOOKUP:
      message.content = LookupProbe{};
      return message;
    case schema::LookupMessage::CENSUS:
      message.content = CensusProbe{};
      return message;
    case schema::LookupMessage::TRACE: {
      auto path = read_hops(from.getTrace());
      if (!path) return tl::unexpected<Error>(path.error());
      message.content = TraceProbe{std::move(*path)};
      return message;
    }
    case schema::LookupMessage::TRACED: {
      auto path = read_hops(from.getTraced());
      if (!path) return tl::unexpected<Error>(path.error());
      message.content = TraceAnswer{std::move(*path)};
      return message;
    }
    case schema::LookupMessage::REPORT: {
      auto report = read_report(from.getReport());
      if (!report) return tl::unexpected<Error>(report.error());
      message.content = std::move(*report);
      return message;
    }
  }
  return fail(ErrorCode::invalid, "unknown lookup message");
}

}  // namespace

Payload encode(const LookupMessage& message) {
  // One segment, whatever is in it.
  constexpr unsigned kFirstSegmentWords = 8192;
  capnp::MallocMessageBuilder builder(kFirstSegmentWords);
  auto root = builder.initRoot<schema::LookupMessage>();
  root.setCall(message.call);
  std::visit(Writer{root}, message.content);
  Result<Bytes> bytes = replica::frame_bytes(builder, {});
  return bytes ? Payload(std::move(*bytes)) : Payload();
}

Result<LookupMessage> decode(const Payload& payload) {
  const auto parts = replica::split_frame(payload);
  if (!parts) return tl::unexpected<Error>(parts.error());
  return replica::read_header<schema::LookupMessage>(*parts, read_message);
}

}  // namespace pastry::service
