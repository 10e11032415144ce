// pastry replay: one seed of `pastry sim fuzz` again, event by event, or cut down to what matters.
#include <cstdio>
#include <iomanip>
#include <sstream>

#include "apps/cli/program.h"
#include "apps/sim/fuzz_guests.h"
#include "apps/sim/sim_common.h"
#include "pastry/sim/fuzz/minimise.h"

namespace pastry::cli {
namespace {

using sim::fuzz::Action;
using sim::fuzz::Plan;
using sim::fuzz::RunResult;

std::string stamp(Duration time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%12.6f  ", std::chrono::duration<double>(time).count());
  return text.data();
}

std::string verdict(const RunResult& result) {
  std::ostringstream text;
  if (result.violation) {
    text << "broke " << result.violation->rule << " at "
         << std::chrono::duration<double>(result.failed_at).count()
         << " s: " << result.violation->what << "\n";
  } else {
    text << "no rule broken\n";
  }
  text << result.events << " events, trace " << hex(result.trace_hash) << "\n";
  return text.str();
}

std::string schedule(const Plan& plan) {
  std::string text = describe_configuration(plan) + "\n";
  for (const Action& action : plan.actions) text += stamp(action.at) + describe(action) + "\n";
  return text;
}

nlohmann::json to_json(const Plan& plan, const RunResult& result, std::size_t runs) {
  nlohmann::json actions = nlohmann::json::array();
  for (const Action& action : plan.actions) {
    actions.push_back(
        {{"at", std::chrono::duration<double>(action.at).count()}, {"action", describe(action)}});
  }
  nlohmann::json document = {
      {"seed", plan.seed},
      {"configuration", describe_configuration(plan)},
      {"actions", std::move(actions)},
      {"events", result.events},
      {"runs", runs},
      {"trace_hash", hex(result.trace_hash)},
      {"ok", !result.violation},
  };
  if (result.violation) {
    document["rule"] = result.violation->rule;
    document["what"] = result.violation->what;
  }
  return document;
}

// What --minimise says of a seed that breaks no rule.
Result<Exit> tell_passed(const Invocation& invocation, const Plan& plan, const RunResult& result) {
  write_error(program().name + " replay: seed " + std::to_string(plan.seed) +
              " passes: there is nothing to minimise\n");
  return invocation.json ? print(to_json(plan, result, 1)) : print_text(verdict(result));
}

Result<Exit> run_replay(const Invocation& invocation) {
  const Options& options = invocation.options;
  Reader reader(options);
  const std::string& text = options.arguments().front();
  const std::optional<std::uint64_t> seed = parse_seed(text);
  if (!seed) return fail(ErrorCode::invalid, "'" + text + "' is no seed");
  sim::fuzz::RunOptions run_options;
  run_options.events_min = static_cast<std::uint64_t>(reader.integer("events", 0, 100'000'000));
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  if (!options.flag("overlay-only")) run_options.guests = fuzz_guests();
  give_up_after(invocation);

  Plan plan = sim::fuzz::make_plan(*seed);
  std::size_t runs = 1;
  if (options.flag("minimise")) {
    const RunResult whole = sim::fuzz::run(plan, run_options);
    if (!whole.violation) return tell_passed(invocation, plan, whole);
    Progress progress("runs", 0);
    sim::fuzz::MinimiseOptions minimise;
    minimise.run = run_options;
    minimise.progress = [&](std::size_t done, std::size_t) { progress.show(done); };
    sim::fuzz::Minimised smallest = sim::fuzz::minimise(plan, minimise);
    plan = std::move(smallest.plan);
    runs = smallest.runs;
  }
  bool whole = write_out(invocation.json ? std::string() : schedule(plan));
  if (!invocation.json && !options.flag("plan")) {
    run_options.narrate = [&whole](Duration at, const std::string& line) {
      whole = write_out(stamp(at) + line + "\n") && whole;
    };
  }
  const RunResult result = sim::fuzz::run(plan, run_options);
  if (!whole) return fail(ErrorCode::failed, "cannot write to standard output");
  const Result<Exit> printed =
      invocation.json ? print(to_json(plan, result, runs)) : print_text(verdict(result));
  if (!printed) return printed;
  return result.violation ? Exit::violated : Exit::done;
}

}  // namespace

extern const Command kReplayCommand;
const Command kReplayCommand{
    .name = "replay",
    .arguments = "SEED",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Shows one seed of `pastry sim fuzz`: its schedule, then event by event.",
    .details =
        "The same seed gives the same events. Lines: the virtual time; n1 > n2/1 sent to the "
        "first incarnation of n2, n2 < n1/1 received, x dropped, -- an action of the "
        "schedule.",
    .example = "pastry replay 17 --minimise",
    .timeout = "0",
    .options = {{"minimise", 0, "", "cut the schedule down to what still breaks the rule"},
                {"plan", 0, "", "only the schedule and the verdict"},
                {"overlay-only", 0, "", "without files and topics (as given to sim fuzz)"},
                {"events", 0, "N", "events, at least (as given to sim fuzz)", "10000"}},
    .run = run_replay};

}  // namespace pastry::cli
