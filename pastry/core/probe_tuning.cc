#include "pastry/core/probe_tuning.h"

#include <algorithm>
#include <cmath>

namespace pastry {
namespace {

constexpr std::size_t kHeardMax = 15;
constexpr std::size_t kSeenMax = 256;

double in_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

double failed_unnoticed(double period_s, double failure_rate) {
  const double x = period_s * failure_rate;
  // Both terms are nearly 1 for small x: the series keeps the difference.
  if (x < 1e-4) return x / 2 - x * x / 6;
  return 1 + std::expm1(-x) / x;
}

double hops_expected(double nodes, int digit_bits) {
  const double base = std::exp2(digit_bits);
  return std::max(1.0, (base - 1) / base * std::log(std::max(nodes, 1.0)) / std::log(base));
}

double raw_loss(const Config& config, double nodes, double failure_rate, Duration probe_period) {
  const double hops = hops_expected(nodes, config.digit_bits);
  const double leaf =
      failed_unnoticed(in_seconds(config.lease_renewal() + config.probe_time()), failure_rate);
  const double entry =
      failed_unnoticed(in_seconds(probe_period + config.probe_time()), failure_rate);
  return 1 - (1 - leaf) * std::pow(1 - entry, hops - 1);
}

Duration tuned_probe_period(const Config& config, double nodes, double failure_rate) {
  const double target = config.table_loss_percent / 100.0;
  milliseconds low = std::chrono::ceil<milliseconds>(config.probe_time());
  milliseconds high = std::chrono::floor<milliseconds>(config.table_probe_period_max);
  if (high <= low) return low;
  if (raw_loss(config, nodes, failure_rate, high) <= target) return high;
  if (raw_loss(config, nodes, failure_rate, low) >= target) return low;
  while (high - low > milliseconds(1)) {  // the loss grows with the period
    const milliseconds middle = low + (high - low) / 2;
    (raw_loss(config, nodes, failure_rate, middle) <= target ? low : high) = middle;
  }
  return low;
}

double nodes_estimated(const Id& spacing) {
  const double gap =
      std::ldexp(static_cast<double>(spacing.high()), 64) + static_cast<double>(spacing.low());
  return std::ldexp(1.0, 128) / std::max(gap, 1.0);
}

void FailureHistory::note(Time now) {
  times_[next_] = now;
  next_ = static_cast<std::uint8_t>((next_ + 1U) % kRemembered);
  if (count_ < kRemembered) ++count_;
}

double FailureHistory::rate(Time now, Time since, std::size_t peers) const {
  const bool full = count_ == kRemembered;
  const double failures = full ? kRemembered : count_ + 1.0;
  const double span_s = in_seconds(now - (full ? times_[next_] : since));
  return failures / (static_cast<double>(std::max<std::size_t>(peers, 1)) * std::max(span_s, 1e-3));
}

void ProbeTuner::heard(const Config& config, Handle from, Duration period) {
  const Duration max = config.table_probe_period_max;
  const Duration least = std::min(config.probe_time(), max);
  const Heard news{from, period > Duration::zero() ? std::clamp(period, least, max) : max};
  const auto known = std::find_if(heard_.begin(), heard_.end(),
                                  [from](const Heard& heard) { return heard.from == from; });
  if (known != heard_.end()) {
    *known = news;
  } else if (heard_.size() < kHeardMax) {
    heard_.push_back(news);
  } else {
    heard_[next_heard_++ % kHeardMax] = news;
  }
}

void ProbeTuner::update(const Config& config, Time now, Time since, std::size_t peers,
                        const Id& spacing) {
  own_ = tuned_probe_period(config, nodes_estimated(spacing), history_.rate(now, since, peers));
}

Duration ProbeTuner::period() const {
  std::vector<Duration> values{own_};
  for (const Heard& heard : heard_) values.push_back(heard.period);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

bool ProbeTuner::calm(Duration max) const {
  return own_ >= max && std::all_of(heard_.begin(), heard_.end(),
                                    [max](const Heard& heard) { return heard.period >= max; });
}

void ProbeTuner::seen_alive(Handle peer, Time now, Duration within) {
  std::erase_if(seen_, [&](const Seen& p) { return p.peer == peer || now - p.at > within; });
  if (seen_.size() < kSeenMax) seen_.push_back({peer, now});
}

bool ProbeTuner::alive_since(Handle peer, Time since) const {
  return std::any_of(seen_.begin(), seen_.end(),
                     [&](const Seen& p) { return p.peer == peer && p.at >= since; });
}

void ProbeTuner::mark_handles(Directory& directory) const {
  for (const Heard& heard : heard_) directory.mark(heard.from);
  for (const Seen& seen : seen_) directory.mark(seen.peer);
}

}  // namespace pastry
