// pastry sim fuzz: random configurations and schedules against the invariants of the overlay and of
// the services on it.
#include <algorithm>
#include <iomanip>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include "apps/cli/program.h"
#include "apps/sim/fuzz_guests.h"
#include "apps/sim/sim_common.h"
#include "pastry/sim/fuzz/campaign.h"

namespace pastry::cli {
namespace {

using sim::fuzz::CampaignOptions;
using sim::fuzz::CampaignReport;
using sim::fuzz::FailedSeed;

constexpr unsigned kJobsMax = 256;

// "A-B", or "A" for one.
void read_seeds(const std::string& text, Reader& reader, CampaignOptions& options) {
  const std::size_t dash = text.find('-');
  const auto first = parse_seed(std::string_view(text).substr(0, dash));
  const auto last =
      dash == std::string::npos ? first : parse_seed(std::string_view(text).substr(dash + 1));
  if (!first || !last) {
    reader.note(
        {ErrorCode::invalid, "--seeds takes A-B or A, like 1-100 or 17, not '" + text + "'"});
    return;
  }
  options.first = *first;
  options.last = *last;
  if (options.last < options.first) {
    reader.note({ErrorCode::invalid, "--seeds: '" + text + "' ends before it begins"});
  }
}

nlohmann::json to_json(const FailedSeed& failure) {
  return {
      {"seed", failure.seed},
      {"rule", failure.result.violation->rule},
      {"what", failure.result.violation->what},
      {"virtual_s", std::chrono::duration<double>(failure.result.failed_at).count()},
      {"trace_hash", hex(failure.result.trace_hash)},
  };
}

nlohmann::json to_json(const CampaignReport& report) {
  nlohmann::json failures = nlohmann::json::array();
  for (const FailedSeed& failure : report.failures) failures.push_back(to_json(failure));
  nlohmann::json marks = nlohmann::json::object();
  for (std::size_t i = 0; i < kMarkCount; ++i) marks[std::string(kMarkNames[i])] = report.marks[i];
  return {
      {"marks", std::move(marks)},
      {"seeds", report.seeds},
      {"failed", report.failures.size()},
      {"failures", std::move(failures)},
      {"crash_only_seeds", report.crash_only},
      {"crash_only_excused", report.excused},
      {"events", report.events},
      {"events_least", report.events_least},
      {"fault_kinds_least", report.fault_kinds_least},
      {"messages", report.messages},
      {"lookups", report.lookups},
      {"undelivered", report.undelivered},
      {"deliveries", report.deliveries},
      {"incorrect", report.incorrect},
      {"repeated", report.repeated},
      {"services", report.guests},
      {"healing_beats", {{"mean", report.healing_mean_beats}, {"max", report.healing_max_beats}}},
      {"wall_s", report.wall_s},
  };
}

// Two columns: rare paths and how many seeds reached each.
std::string marks_text(const CampaignReport& report) {
  std::ostringstream text;
  for (std::size_t i = 0; i < kMarkCount; ++i) {
    text << "  " << std::left << std::setw(34) << kMarkNames[i] << std::right << std::setw(7)
         << report.marks[i] << (i % 2 == 0 && i + 1 < kMarkCount ? "  " : "\n");
  }
  return text.str();
}

// What the services did, a line for each kind.
std::string services_text(const CampaignReport& report) {
  std::ostringstream text;
  for (const auto& [what, often] : report.guests) {
    std::string words = what;
    std::replace(words.begin(), words.end(), '_', ' ');
    text << "  " << std::left << std::setw(34) << words << std::right << std::setw(9) << often
         << "\n";
  }
  return text.str();
}

std::string line_of(std::uint64_t seed, const sim::fuzz::RunResult& result) {
  return "seed " + std::to_string(seed) + " broke " + result.violation->rule + ": " +
         result.violation->what + "\n";
}

std::string to_text(const CampaignReport& report, bool overlay_only) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1);
  text << report.seeds << " seeds, " << report.failures.size() << " failed; " << report.crash_only
       << " crash-only (" << report.excused << " excused)\n";
  text << "events      " << report.events << ", at least " << report.events_least
       << " per seed, faults of at least " << report.fault_kinds_least << " kinds\n";
  text << "lookups     " << report.lookups << ", undelivered " << report.undelivered
       << "; deliveries " << report.deliveries << ", incorrect " << report.incorrect
       << " where nodes can look dead, repeated " << report.repeated << "\n";
  text << "healing     " << report.healing_mean_beats << " heartbeat periods on average, "
       << report.healing_max_beats << " at most\n";
  if (!report.guests.empty()) text << "services\n" << services_text(report);
  const auto unreached = std::count(report.marks.begin(), report.marks.end(), 0U);
  text << "rare paths  " << kMarkCount - static_cast<std::size_t>(unreached) << " of " << kMarkCount
       << " reached, by so many seeds:\n"
       << marks_text(report);
  text << "time        " << report.wall_s << " s\n";
  for (const FailedSeed& failure : report.failures) text << line_of(failure.seed, failure.result);
  if (!report.failures.empty()) {
    text << "see: " << program().name << " replay " << report.failures.front().seed
         << (overlay_only ? " --overlay-only" : "") << "\n";
  }
  return text.str();
}

// What is under way: a campaign that is stopped, or a seed that never ends, must not hide what was
// found.
class Watch {
 public:
  // `json`: what failed stands in the document, or in unfinished().
  Watch(CampaignOptions& campaign, bool json)
      : progress_("seeds", campaign.last - campaign.first + 1), json_(json) {
    campaign.begins = [this](std::uint64_t seed) {
      const std::lock_guard lock(mutex_);
      running_.insert(seed);
    };
    campaign.ends = [this](std::uint64_t seed, const sim::fuzz::RunResult& result) {
      ended(seed, result);
    };
  }

  std::string unfinished() {
    const std::lock_guard lock(mutex_);
    return " after " + std::to_string(done_) + " seeds; failed:" + list(failed_) +
           "; still running:" + list(running_);
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    progress_.clear();
  }

 private:
  void ended(std::uint64_t seed, const sim::fuzz::RunResult& result) {
    const std::lock_guard lock(mutex_);
    running_.erase(seed);
    ++done_;
    if (result.violation) failed_.insert(seed);
    if (json_) return;
    if (result.violation) {
      progress_.clear();
      write_error(line_of(seed, result));
    }
    progress_.show(done_);
  }

  static std::string list(const std::set<std::uint64_t>& seeds) {
    std::string text;
    for (const std::uint64_t seed : seeds) text += " " + std::to_string(seed);
    return seeds.empty() ? " none" : text;
  }

  std::mutex mutex_;
  Progress progress_;
  bool json_;
  std::uint64_t done_ = 0;
  std::set<std::uint64_t> running_;
  std::set<std::uint64_t> failed_;
};

Result<Exit> run_fuzz(const Invocation& invocation) {
  const Options& options = invocation.options;
  Reader reader(options);
  CampaignOptions campaign;
  read_seeds(options.text("seeds"), reader, campaign);
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  campaign.jobs = static_cast<unsigned>(reader.integer("jobs", 0, kJobsMax));
  if (campaign.jobs == 0) campaign.jobs = cores;
  campaign.events_min = static_cast<std::uint64_t>(reader.integer("events", 0, 100'000'000));
  campaign.time_max = std::chrono::minutes(reader.integer("minutes", 0, 100'000));
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  const bool overlay_only = options.flag("overlay-only");
  if (!overlay_only) campaign.guests = fuzz_guests();
  const auto watch = std::make_shared<Watch>(campaign, invocation.json);
  give_up_after(invocation, [watch] { return watch->unfinished(); });
  const CampaignReport report = run_campaign(campaign);
  watch->clear();
  const Result<Exit> printed =
      invocation.json ? print(to_json(report)) : print_text(to_text(report, overlay_only));
  if (!printed) return printed;
  return report.failures.empty() ? Exit::done : Exit::violated;
}

}  // namespace

extern const Command kSimFuzzCommand;
const Command kSimFuzzCommand{
    .name = "sim fuzz",
    .summary = "Runs random configurations and schedules against what the overlay promises.",
    .details =
        "Each seed is a simulation of its own. In `pastry` (`pastry-sim` has no services) nodes "
        "also store files and publish, and what is promised for these is checked, too. A seed that "
        "breaks a rule is printed, and the exit code is 10; `pastry replay SEED` shows what "
        "happened.",
    .example = "pastry sim fuzz --seeds 1-1000",
    .timeout = "0",
    .options = {{"seeds", 0, "A-B", "the seeds", "1-100"},
                {"minutes", 0, "M", "begin no further seed after so long (0: no limit)", "0"},
                {"events", 0, "N", "events per seed, at least", "10000"},
                {"overlay-only", 0, "", "without files and topics on the nodes"},
                {"jobs", 'j', "N", "threads (0: one per core)", "0"}},
    .run = run_fuzz};

}  // namespace pastry::cli
