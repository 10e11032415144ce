#include "pastry/sim/scenario/scenario.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "pastry/sim/network.h"
#include "pastry/sim/scenario/scenario_words.h"
#include "pastry/sim/text_lines.h"

namespace pastry::sim {

namespace {

constexpr std::array<std::string_view, 10> kSettings = {
    "nodes",         "seed",     "profile", "leaf-set", "digit-bits",
    "neighbourhood", "topology", "hosts",   "metric",   "location"};
constexpr std::array<std::string_view, 2> kNetworkTimes = {"reordering-delay", "slow-processing"};
constexpr std::size_t kStepsMax = 100'000;
constexpr std::size_t kNodesMax = 1'000'000;

bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

Result<Action> parse_targets(ActionKind kind, ScenarioWords& words) {
  Action action{.kind = kind};
  const auto amount = words.amount();
  if (!amount) return tl::unexpected(amount.error());
  action.amount = *amount;
  if (kind == ActionKind::kill) action.adjacent = words.take("adjacent");
  const bool can_end = kind != ActionKind::leave && kind != ActionKind::restart;
  if (can_end && words.take("for")) {
    const auto time = words.duration();
    if (!time) return tl::unexpected(time.error());
    action.time = *time;
  }
  return action;
}

Result<Action> parse_join(ScenarioWords& words) {
  Action action{.kind = ActionKind::join};
  const auto number = words.integer(1, kNodesMax);
  if (!number) return tl::unexpected(number.error());
  action.amount.number = *number;
  while (!words.empty()) {
    if (words.take("over")) {
      const auto time = words.duration();
      if (!time) return tl::unexpected(time.error());
      action.time = *time;
    } else if (words.take("through") && words.take("one")) {
      action.through_one = true;
    } else if (words.take("into") && words.take("one") && words.take("gap")) {
      action.into_one_gap = true;
    } else {
      return words.wrong("after 'join N' comes 'over TIME', 'through one' or 'into one gap'");
    }
  }
  return action;
}

Result<Action> parse_clock(ScenarioWords& words) {
  Action action{.kind = ActionKind::clock};
  const auto amount = words.amount();
  if (!amount) return tl::unexpected(amount.error());
  action.amount = *amount;
  std::string_view shift = words.next();
  const bool back = shift.starts_with('-');
  if (!back && !shift.starts_with('+')) return words.wrong("a clock jumps by +TIME or -TIME");
  const auto time = words.duration_of(shift.substr(1));
  if (!time) return tl::unexpected(time.error());
  action.shift_s = std::chrono::duration_cast<std::chrono::seconds>(*time).count();
  if (back) action.shift_s = -action.shift_s;
  return action;
}

Result<Action> parse_partition(ScenarioWords& words) {
  Action action{.kind = ActionKind::partition};
  if (words.take("one-way")) {
    action.one_way = true;
    action.amount.number = 2;
  } else {
    const auto sides = words.integer(2, 8);
    if (!sides) return tl::unexpected(sides.error());
    action.amount.number = *sides;
  }
  if (words.take("for")) {
    const auto time = words.duration();
    if (!time) return tl::unexpected(time.error());
    action.time = *time;
  }
  return action;
}

Result<Action> parse_counted(ActionKind kind, ScenarioWords& words) {
  Action action{.kind = kind};
  const auto number = words.integer(1, kNodesMax);
  if (!number) return tl::unexpected(number.error());
  action.amount.number = *number;
  if (kind == ActionKind::block && !words.take("pairs") && !words.take("pair")) {
    return words.wrong("it is 'block N pairs'");
  }
  if (kind != ActionKind::store) return action;
  action.bytes = 4096;
  if (words.take("of")) {
    const auto bytes = words.bytes();
    if (!bytes) return tl::unexpected(bytes.error());
    action.bytes = *bytes;
  }
  return action;
}

Result<Action> parse_lookups(ScenarioWords& words) {
  std::string_view rate = words.next();
  if (!rate.ends_with("/s")) return words.wrong("a rate is written like 100/s");
  rate.remove_suffix(2);
  const auto value = words.number_of(rate, 0, 1e6);
  if (!value) return tl::unexpected(value.error());
  return Action{.kind = ActionKind::lookups, .value = *value};
}

Result<Action> parse_network(std::string_view name, ScenarioWords& words) {
  Action action{.kind = ActionKind::network, .name = std::string(name)};
  if (is_one_of(name, kNetworkTimes)) {
    const auto time = words.duration();
    if (!time) return tl::unexpected(time.error());
    action.time = *time;
    return action;
  }
  const auto value = words.number_of(words.next(), 0, 1);
  if (!value) return tl::unexpected(value.error());
  action.value = *value;
  return action;
}

Result<Action> parse_action(std::string_view verb, ScenarioWords& words) {
  if (verb == "kill") return parse_targets(ActionKind::kill, words);
  if (verb == "leave") return parse_targets(ActionKind::leave, words);
  if (verb == "restart") return parse_targets(ActionKind::restart, words);
  if (verb == "pause") return parse_targets(ActionKind::pause, words);
  if (verb == "suspend") return parse_targets(ActionKind::suspend, words);
  if (verb == "join") return parse_join(words);
  if (verb == "clock") return parse_clock(words);
  if (verb == "partition") return parse_partition(words);
  if (verb == "block") return parse_counted(ActionKind::block, words);
  if (verb == "store") return parse_counted(ActionKind::store, words);
  if (verb == "lookups") return parse_lookups(words);
  if (verb == "resume") return Action{.kind = ActionKind::resume};
  if (verb == "heal") return Action{.kind = ActionKind::heal};
  if (verb == "measure") return Action{.kind = ActionKind::measure};
  if (verb == "wait") {
    const auto time = words.duration();
    if (!time) return tl::unexpected(time.error());
    return Action{.kind = ActionKind::wait, .time = *time};
  }
  if (is_one_of(verb, kNetworkTimes) || find_network_share(verb) != nullptr) {
    return parse_network(verb, words);
  }
  return words.wrong("unknown step '" + std::string(verb) + "'");
}

// "p99 <= 2s"
Result<Expectation> parse_quantile(ExpectKind kind, ScenarioWords& words) {
  Expectation expectation{.kind = kind};
  const std::string_view which = words.next();
  if (!which.starts_with('p')) return words.wrong("it is 'pN <= TIME', like 'p99 <= 2s'");
  const auto percent = words.number_of(which.substr(1), 0, 100);
  if (!percent) return tl::unexpected(percent.error());
  if (!words.take("<=")) return words.wrong("it is 'pN <= TIME', like 'p99 <= 2s'");
  const auto time = words.duration();
  if (!time) return tl::unexpected(time.error());
  expectation.quantile = *percent / 100;
  expectation.bound = std::chrono::duration<double>(*time).count();
  return expectation;
}

Result<Expectation> parse_expected(std::string_view subject, ScenarioWords& words) {
  if (subject == "ring") return Expectation{.kind = ExpectKind::ring};
  if (subject == "healthy") return Expectation{.kind = ExpectKind::healthy};
  if (subject == "files") return Expectation{.kind = ExpectKind::files};
  if (subject == "latency") return parse_quantile(ExpectKind::latency, words);
  if (subject == "joins") return parse_quantile(ExpectKind::joins, words);
  if (subject == "no") {
    if (!words.take("wrong") || !words.take("root")) return words.wrong("it is 'no wrong root'");
    return Expectation{.kind = ExpectKind::wrong_root};
  }
  if (subject == "nodes") {
    const auto number = words.integer(0, kNodesMax);
    if (!number) return tl::unexpected(number.error());
    return Expectation{.kind = ExpectKind::nodes, .bound = static_cast<double>(*number)};
  }
  if (subject == "flips") {
    if (!words.take("<=")) return words.wrong("it is 'flips <= N'");
    const auto number = words.integer(0, kNodesMax);
    if (!number) return tl::unexpected(number.error());
    return Expectation{.kind = ExpectKind::flips, .bound = static_cast<double>(*number)};
  }
  if (subject == "lookups") {
    if (!words.take(">=")) return words.wrong("it is 'lookups >= P%'");
    const auto share = words.percent();
    if (!share) return tl::unexpected(share.error());
    return Expectation{.kind = ExpectKind::lookups, .bound = *share};
  }
  return words.wrong("nothing is known about '" + std::string(subject) + "'");
}

Result<Expectation> parse_expectation(ScenarioWords& words) {
  auto expectation = parse_expected(words.next(), words);
  if (!expectation || !words.take("within")) return expectation;
  const bool once =
      expectation->kind == ExpectKind::lookups || expectation->kind == ExpectKind::wrong_root ||
      expectation->kind == ExpectKind::flips || expectation->kind == ExpectKind::latency;
  if (once) return words.wrong("this is judged at once and takes no 'within'");
  const auto time = words.duration();
  if (!time) return tl::unexpected(time.error());
  expectation->within = *time;
  return expectation;
}

Result<ScenarioStep> parse_step(ScenarioWords& words) {
  ScenarioStep step;
  step.text = words.text();
  for (;;) {
    const bool at = words.take("at");
    if (!at && !words.take("after")) break;
    const auto time = words.duration();
    if (!time) return tl::unexpected(time.error());
    if (at) {
      step.at = *time;
    } else {
      step.after = *time;
    }
  }
  if (words.empty()) return words.wrong("what shall happen then?");
  if (words.take("expect")) {
    auto expectation = parse_expectation(words);
    if (!expectation) return tl::unexpected(expectation.error());
    step.what = *expectation;
  } else {
    auto action = parse_action(words.next(), words);
    if (!action) return tl::unexpected(action.error());
    step.what = std::move(*action);
  }
  if (!words.empty()) return words.wrong("'" + std::string(words.next()) + "' is too much");
  return step;
}

}  // namespace

std::size_t Amount::of(std::size_t total) const {
  if (!share) return std::min(number, total);
  return static_cast<std::size_t>(std::llround(*share * static_cast<double>(total)));
}

Result<Scenario> parse_scenario(std::string_view text, const std::string& name) {
  Scenario scenario;
  scenario.name = name;
  std::optional<Duration> last_at;
  for (const TextLine& line : text_lines(text)) {
    ScenarioWords words(line.words, name + ":" + std::to_string(line.number));
    if (is_one_of(line.words.front(), kSettings)) {
      if (line.words.size() != 2) return words.wrong("a setting is NAME VALUE");
      if (!scenario.steps.empty()) return words.wrong("settings come before the first step");
      scenario.settings.push_back(
          {line.number, std::string(line.words[0]), std::string(line.words[1])});
      continue;
    }
    auto step = parse_step(words);
    if (!step) return tl::unexpected(step.error());
    if (step->at && last_at && *step->at < *last_at) {
      return words.wrong("this is earlier than the step before");
    }
    if (step->at) last_at = step->at;
    if (scenario.steps.size() == kStepsMax) return words.wrong("too many steps");
    step->line = line.number;
    scenario.steps.push_back(std::move(*step));
  }
  if (scenario.steps.empty()) return fail(ErrorCode::invalid, name + ": no steps");
  return scenario;
}

}  // namespace pastry::sim
