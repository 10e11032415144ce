// Scenarios: what joins, dies, is cut off, is stored, when; and what must hold. One
// language for the simulator and for clusters of real processes (docs/simulator.md describes it).
//
//   nodes 50
//   leaf-set 16
//   lookups 100/s
//   at 10s  kill 5
//   expect  ring within 60s
//   expect  lookups >= 99.9%
//   expect  no wrong root
//
// Settings come first and have the names of the command line's options. Then come steps, carried
// out one after the other: `at TIME` waits until so long after the ring was complete, `after TIME`
// until so long after the step before, neither begins at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/core/timestamp.h"

namespace pastry::sim {

enum class ActionKind : std::uint8_t {
  kill,       // AMOUNT [adjacent] [for TIME]
  leave,      // AMOUNT
  restart,    // AMOUNT
  join,       // N [over TIME] [through one] [into one gap]
  pause,      // AMOUNT [for TIME]
  suspend,    // AMOUNT [for TIME]
  resume,     // of all that are paused or suspended
  clock,      // AMOUNT +TIME|-TIME: the wall clock of so many nodes jumps
  partition,  // 2…8 | one-way [for TIME]
  heal,       // partitions and blocked pairs
  block,      // N pairs: of neighbours on the ring, both directions
  network,    // NAME VALUE: loss, duplication, reordering, gray-links, …
  lookups,    // R/s from random nodes, from now on; 0/s ends it
  measure,    // figures of lookups and joins are counted anew from here
  store,      // N [of BYTES]: files
  wait,       // TIME
};

// So many nodes: a number, a share of those in question, or all of them.
struct Amount {
  std::size_t number = 0;
  std::optional<double> share = {};  // in [0, 1]

  std::size_t of(std::size_t total) const;
};

struct Action {
  ActionKind kind = ActionKind::wait;
  Amount amount = {};
  bool adjacent = false;     // kill
  bool through_one = false;  // join
  bool into_one_gap = false;
  bool one_way = false;  // partition
  Duration time{};  // over (join), for (kill, pause, suspend, partition), wait; zero: not given
  std::int64_t shift_s = 0;  // clock
  std::string name = {};     // network
  double value = 0;          // network, lookups
  std::uint64_t bytes = 0;   // store
};

enum class ExpectKind : std::uint8_t {
  ring,        // every running node is active and has its neighbours
  healthy,     // also the whole leaf sets; with files: their copies
  nodes,       // N: so many are active
  lookups,     // >= P %: delivered within a minute, of those whose source lived
  wrong_root,  // no wrong root: none delivered by a wrong node or twice
  latency,     // pN <= TIME: of lookups
  joins,       // pN <= TIME: from start to active
  flips,       // <= N: times any node lost a living member of its leaf set and got it back
  files,       // every stored file comes back byte for byte
};

struct Expectation {
  ExpectKind kind = ExpectKind::ring;
  Duration within{};    // asked again until then
  double bound = 0;     // nodes, lookups (share), flips; seconds for latency and joins
  double quantile = 0;  // latency, joins
};

struct ScenarioStep {
  std::size_t line = 0;
  std::string text;  // as written, with single blanks
  std::optional<Duration> at = {};
  Duration after{};
  std::variant<Action, Expectation> what;
};

struct ScenarioSetting {
  std::size_t line = 0;
  std::string name;
  std::string value;
};

struct Scenario {
  std::string name;  // where it comes from
  std::vector<ScenarioSetting> settings;
  std::vector<ScenarioStep> steps;
};

// `name` stands for the text in errors: "NAME:LINE: what is wrong" (invalid).
Result<Scenario> parse_scenario(std::string_view text, const std::string& name);

}  // namespace pastry::sim
