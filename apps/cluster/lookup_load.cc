#include "apps/cluster/lookup_load.h"

#include <algorithm>
#include <utility>

#include "apps/control/client.h"

namespace pastry::cluster {
namespace {

using control::Json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kThreads = 16;
constexpr milliseconds kPeriod{200};
constexpr seconds kLookupTimeout{60};
constexpr seconds kSettle{70};
// So long a node must have been known to run before others can be expected to know it.
constexpr seconds kKnown{10};
constexpr std::size_t kBatchMax = 4096;
constexpr std::size_t kAnswersMax = 20'000'000;

}  // namespace

LookupLoad::~LookupLoad() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void LookupLoad::set_nodes(const std::vector<Source>& nodes) {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  sources_ = nodes;
  for (auto& [id, lives] : lives_) {
    const bool runs = std::any_of(nodes.begin(), nodes.end(),
                                  [&id = id](const Source& node) { return node.id == id; });
    if (!runs && !lives.back().until) lives.back().until = now;
  }
  for (const Source& node : nodes) {
    std::vector<Life>& lives = lives_[node.id];
    if (lives.empty() || lives.back().until) lives.push_back({now, std::nullopt});
  }
}

void LookupLoad::set_rate(double per_second) {
  const std::lock_guard lock(mutex_);
  rate_ = per_second;
  if (per_second <= 0 || !threads_.empty()) return;
  for (std::size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this, i] { work(i); });
}

void LookupLoad::restart_counts() {
  const std::lock_guard lock(mutex_);
  answers_.clear();
  counted_from_ = Clock::now();
}

void LookupLoad::work(std::size_t number) {
  std::mt19937_64 random(seed_ + number);
  double due = 0;  // lookups that this thread owes
  for (;;) {
    std::this_thread::sleep_for(kPeriod);
    Source source;
    std::size_t count = 0;
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
      due += rate_ * std::chrono::duration<double>(kPeriod).count() / kThreads;
      count = std::min(static_cast<std::size_t>(due), kBatchMax);
      due -= static_cast<double>(static_cast<std::size_t>(due));
      if (count == 0 || sources_.empty() || answers_.size() > kAnswersMax) continue;
      source = sources_[random() % sources_.size()];
      ++working_;
    }
    look_up(random, source, count);
    const std::lock_guard lock(mutex_);
    --working_;
  }
}

void LookupLoad::look_up(std::mt19937_64& random, const Source& source, std::size_t count) {
  std::vector<Answer> batch(count);
  Json keys = Json::array();
  const auto begin = Clock::now();
  for (Answer& answer : batch) {
    answer.key = Id(random(), random());
    answer.source = source.id;
    answer.sent = begin;
    answer.done = begin;
    keys.push_back(answer.key.hex());
  }
  if (auto client = control::Client::connect(source.endpoint)) {
    const auto deadline = control::Deadline::in(kLookupTimeout + seconds(5));
    const control::CallId call = (*client)->call(
        "lookup",
        {{"keys", std::move(keys)}, {"node", source.id}, {"timeout", kLookupTimeout.count()}},
        16U << 20);
    std::size_t next = 0;
    for (;;) {
      const auto incoming = (*client)->next(deadline);
      if (!incoming) break;
      const control::Header& header = incoming->header;
      if (header.call != call || header.type != control::Type::event) {
        if (header.type == control::Type::result || header.type == control::Type::error) {
          break;
        }
        continue;
      }
      if (next == batch.size()) break;
      Answer& answer = batch[next++];
      answer.done = Clock::now();
      const auto root = Id::parse(header.body.value("root", ""));
      if (root) {
        answer.root = *root;
        answer.answered = true;
      }
    }
  }
  const std::lock_guard lock(mutex_);
  for (Answer& answer : batch) {
    if (!answer.answered) answer.done = Clock::now();
    if (answer.sent >= counted_from_) answers_.push_back(std::move(answer));
  }
}

// Whether the node was known to run during the whole time.
bool LookupLoad::ran(const std::string& id, Clock::time_point from, Clock::time_point until) const {
  const auto found = lives_.find(id);
  if (found == lives_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](const Life& life) {
    return life.from <= from && (!life.until || *life.until >= until);
  });
}

// What is wrong with the root, or nothing.
std::string LookupLoad::judge_root(const Answer& answer) const {
  const auto lives = lives_.find(answer.root.hex());
  if (lives != lives_.end() && lives->second.back().until &&
      *lives->second.back().until < answer.sent) {
    return "key " + answer.key.hex() + " has root " + answer.root.hex() + ", which was dead";
  }
  for (const auto& [id, ignored] : lives_) {
    const auto parsed = Id::parse(id);
    if (!parsed || !closer(answer.key, *parsed, answer.root)) continue;
    if (ran(id, answer.sent - kKnown, answer.done)) {
      return "key " + answer.key.hex() + " has root " + answer.root.hex() + " instead of " + id;
    }
  }
  return {};
}

LoadCounts LookupLoad::counts() {
  const auto limit = Clock::now() + kSettle;
  double rate = 0;
  {
    const std::lock_guard lock(mutex_);
    rate = std::exchange(rate_, 0);
  }
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (working_ == 0 || Clock::now() >= limit) break;
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
  const std::lock_guard lock(mutex_);
  rate_ = rate;
  LoadCounts counts;
  std::vector<double> times;
  for (const Answer& answer : answers_) {
    ++counts.sent;
    if (!answer.answered) {
      ++(ran(answer.source, answer.sent, answer.done) ? counts.failed : counts.source_died);
      continue;
    }
    ++counts.answered;
    times.push_back(std::chrono::duration<double>(answer.done - answer.sent).count());
    const std::string wrong = judge_root(answer);
    if (wrong.empty()) continue;
    ++counts.wrong_root;
    if (counts.example.empty()) counts.example = wrong;
  }
  if (times.empty()) return counts;
  std::sort(times.begin(), times.end());
  counts.p50_s = times[times.size() / 2];
  counts.p99_s = times[times.size() * 99 / 100];
  return counts;
}

}  // namespace pastry::cluster
