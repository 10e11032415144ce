// Messages of the lookup application, and what a census makes of them.
#include <doctest/doctest.h>

#include <random>

#include "apps/service/census_json.h"
#include "apps/service/lookup_codec.h"

using namespace pastry;
using namespace pastry::service;

namespace {

NodeReport report_of(std::uint64_t id, std::uint64_t left, std::uint64_t right) {
  NodeReport report;
  report.id = Id(id, 0);
  report.active = true;
  report.neighbours = NodeReport::Neighbours{Id(left, 0), Id(right, 0)};
  return report;
}

Census ring_of(std::vector<NodeReport> reports) {
  Census census;
  for (NodeReport& report : reports) census.nodes[report.id] = report;
  return census;
}

}  // namespace

TEST_CASE("messages survive encoding") {
  const std::vector<TraceHop> path{{Id(1, 2), "tcp://127.0.0.1:1", std::nullopt},
                                   {Id(3, 4), "tcp://127.0.0.1:2", Duration(1500)}};
  const auto trace = decode(encode({9, TraceProbe{path}}));
  REQUIRE(trace);
  CHECK(trace->call == 9);
  const auto& hops = std::get<TraceProbe>(trace->content).path;
  REQUIRE(hops.size() == 2);
  CHECK(hops[1].id == Id(3, 4));
  CHECK(hops[1].endpoint == "tcp://127.0.0.1:2");
  CHECK_FALSE(hops[0].delay);
  CHECK(*hops[1].delay == Duration(1500));

  NodeReport report = report_of(5, 4, 6);
  report.asked = Id(7, 7);
  report.endpoint = "tcp://[::1]:4000";
  report.known = {Id(1, 1), Id(2, 2)};
  report.statistics.under_replicated = 11;
  report.statistics.settled = false;
  report.statistics.short_of_nodes = 12;
  report.statistics.nodes_wanted = 13;
  report.statistics.counted_age_ms = 14;
  report.statistics.uncounted = true;
  const auto answer = decode(encode({10, report}));
  REQUIRE(answer);
  const auto& read = std::get<NodeReport>(answer->content);
  CHECK(read.asked == report.asked);
  CHECK(read.neighbours->right == Id(6, 0));
  CHECK(read.known == report.known);
  CHECK(read.statistics.under_replicated == 11);
  CHECK_FALSE(read.statistics.settled);
  CHECK(read.statistics.short_of_nodes == 12);
  CHECK(read.statistics.nodes_wanted == 13);
  CHECK(read.statistics.counted_age_ms == 14);
  CHECK(read.statistics.uncounted);
  CHECK(std::holds_alternative<CensusProbe>(decode(encode({1, CensusProbe{}}))->content));
  CHECK(std::holds_alternative<LookupProbe>(decode(encode({1, LookupProbe{}}))->content));
}

TEST_CASE("what exceeds a bound or is damaged is refused") {
  std::vector<TraceHop> path(kTraceHopsMax + 1);
  CHECK_FALSE(decode(encode({1, TraceProbe{path}})));
  NodeReport report;
  report.endpoint = std::string(kEndpointMax + 1, 'x');
  CHECK_FALSE(decode(encode({1, report})));
  CHECK_FALSE(decode(Payload()));
  CHECK_FALSE(decode(Payload::copy_of("hello")));

  report = report_of(5, 4, 6);
  report.known.assign(20, Id(1, 1));
  const Payload whole = encode({1, report});
  std::mt19937 random(2);
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes(whole.view().begin(), whole.view().end());
    for (int c = 0; c < 3; ++c)
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    if (random() % 3 == 0) bytes.resize(random() % bytes.size());
    (void)decode(Payload(std::move(bytes)));
  }
}

TEST_CASE("a ring is right if everybody's neighbours are those of the sorted list") {
  CHECK(ring_is_right(ring_of({report_of(1, 3, 2), report_of(2, 1, 3), report_of(3, 2, 1)})));
  CHECK(ring_is_right(ring_of({report_of(1, 2, 2), report_of(2, 1, 1)})));
  CHECK_FALSE(ring_is_right(ring_of({report_of(1, 3, 2), report_of(2, 1, 1), report_of(3, 2, 1)})));
  NodeReport alone = report_of(1, 0, 0);
  CHECK_FALSE(ring_is_right(ring_of({alone})));
  alone.neighbours.reset();
  CHECK(ring_is_right(ring_of({alone})));
  alone.active = false;
  CHECK_FALSE(ring_is_right(ring_of({alone})));
  Census silent = ring_of({report_of(1, 2, 2), report_of(2, 1, 1)});
  silent.unreachable.push_back(Id(9, 9));
  CHECK_FALSE(ring_is_right(silent));
}

TEST_CASE("the verdict follows from what the nodes say") {
  Census census = ring_of({report_of(1, 2, 2), report_of(2, 1, 1)});
  CHECK(status_json(census).at("verdict") == "healthy");
  census.nodes.begin()->second.statistics.under_replicated = 2;
  census.nodes.begin()->second.statistics.bytes_to_repair = 64U << 20;
  const auto repairing = status_json(census);
  CHECK(repairing.at("verdict") == "repairing");
  CHECK(repairing.at("under_replicated") == 2);
  CHECK(repairing.at("repair_eta_s").get<double>() > 0);
  NodeStatistics& first = census.nodes.begin()->second.statistics;
  first = {};
  first.short_of_nodes = 3;
  first.nodes_wanted = 5;
  first.counted_age_ms = 2500;
  const auto lacking = status_json(census);
  CHECK(lacking.at("verdict") == "short");
  CHECK(lacking.at("advice").get<std::string>().find("start 3 more nodes") != std::string::npos);
  CHECK(lacking.at("short_of_nodes") == 3);
  CHECK(lacking.at("counted_age_s") == 2.5);
  CHECK(lacking.at("uncounted") == 0);
  first.uncounted = true;
  CHECK(status_json(census).at("uncounted") == 1);
  census.nodes.begin()->second.active = false;
  CHECK(status_json(census).at("verdict") == "converging");
}
