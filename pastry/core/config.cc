#include "pastry/core/config.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace pastry {
namespace {

using std::chrono::hours;

// Nanoseconds as people write them: in the largest unit that divides them.
std::string text(Duration value) {
  const auto count = value.count();
  if (count % 1'000'000'000 == 0) return std::to_string(count / 1'000'000'000) + " s";
  if (count % 1'000'000 == 0) return std::to_string(count / 1'000'000) + " ms";
  return std::to_string(count) + " ns";
}

std::string text(int value) { return std::to_string(value); }
std::string text(std::size_t value) { return std::to_string(value); }

// Collects the first violated range.
class Checker {
 public:
  template <typename T>
  Checker& in(const char* field, T value, T min, T max) {
    if (result_ && (value < min || value > max)) {
      complain(field, text(value), text(min) + " … " + text(max));
    }
    return *this;
  }

  template <typename T>
  Checker& that(const char* field, T value, bool holds, const std::string& range) {
    if (result_ && !holds) complain(field, text(value), range);
    return *this;
  }

  Result<void> result() const { return result_; }

 private:
  void complain(const char* field, const std::string& value, const std::string& range) {
    result_ = fail(ErrorCode::invalid, std::string(field) + " is " + value + ", must be " + range);
  }

  Result<void> result_;
};

constexpr Duration kShortest = milliseconds(1);
constexpr Duration kLongest = hours(24);
constexpr std::size_t kCountMax = std::size_t{1} << 24;
// failed_max, hops_max and gap_batch end where a message may hold no more (wire/limits.h).

void check_geometry(const Config& c, Checker& check) {
  check.in("digit_bits", c.digit_bits, 1, 8)
      .in("leaf_set", c.leaf_set, 2, 128)
      .that("leaf_set", c.leaf_set, c.leaf_set % 2 == 0, "even")
      .in("neighbourhood", c.neighbourhood, 0, 128);
}

void check_detection(const Config& c, Checker& check) {
  check.in<Duration>("heartbeat_period", c.heartbeat_period, kShortest, kLongest)
      .in<Duration>("probe_timeout", c.probe_timeout, kShortest, kLongest)
      .in("probe_retries", c.probe_retries, 0, 16)
      .in<Duration>("failed_memory", c.failed_memory, kShortest, kLongest)
      .in<std::size_t>("failed_max", c.failed_max, 1, 256)
      .in<Duration>("flip_memory", c.flip_memory, kShortest, kLongest)
      .in<Duration>("relay_retry_period", c.relay_retry_period, kShortest, kLongest)
      .in<Duration>("lease", c.lease, kShortest, kLongest);
  const Duration probed = c.probe_timeout * (c.probe_retries + 3);
  check.that("lease", c.lease, c.lease >= probed,
             "at least " + text(probed) + ": probe_timeout * (probe_retries + 3)");
}

void check_hops(const Config& c, Checker& check) {
  check.in<Duration>("rto_min", c.rto_min, kShortest, kLongest)
      .in<Duration>("rto_max", c.rto_max, c.rto_min, kLongest)
      .that("rto_max", c.rto_max, c.rto_max >= c.probe_timeout,
            "at least probe_timeout, " + text(c.probe_timeout))
      .in<Duration>("rto_initial", c.rto_initial, c.rto_min, c.rto_max)
      .in("hop_attempts", c.hop_attempts, 1, 64)
      .in<std::size_t>("unacknowledged_max", c.unacknowledged_max, 1, kCountMax)
      .in("hops_max", c.hops_max, 1, 1023)
      .in<Duration>("duplicate_memory", c.duplicate_memory, kShortest, kLongest)
      .that("duplicate_memory", c.duplicate_memory, c.duplicate_memory >= c.keep_max(),
            "at least " + text(c.keep_max()) + ": two leases and gap_expiry")
      .in<std::size_t>("duplicate_max", c.duplicate_max, 1, kCountMax);
}

void check_join(const Config& c, Checker& check) {
  check.in<Duration>("join_retry_min", c.join_retry_min, kShortest, kLongest)
      .in<Duration>("join_retry_max", c.join_retry_max, c.join_retry_min, kLongest)
      .in<std::size_t>("gap_batch", c.gap_batch, 1, 64)
      .in<std::size_t>("gap_queue_max", c.gap_queue_max, 1, kCountMax)
      .in<Duration>("gap_expiry", c.gap_expiry, kShortest, kLongest)
      .that("gap_expiry", c.gap_expiry, c.gap_expiry >= c.probe_time(),
            "at least " + text(c.probe_time()) + ": probe_timeout * (probe_retries + 1)")
      .in<std::size_t>("inactive_buffer_max", c.inactive_buffer_max, 0, kCountMax);
}

void check_upkeep(const Config& c, Checker& check) {
  check.in<Duration>("leaf_exchange_period", c.leaf_exchange_period, kShortest, kLongest)
      .in<Duration>("table_upkeep_period", c.table_upkeep_period, kShortest, kLongest)
      .in<Duration>("table_settle_period", c.table_settle_period, kShortest, kLongest)
      .in<Duration>("table_probe_period_max", c.table_probe_period_max, kShortest, kLongest)
      .in("table_loss_percent", c.table_loss_percent, 1, 50)
      .in<Duration>("reunion_period", c.reunion_period, kShortest, kLongest)
      .in<Duration>("reunion_memory", c.reunion_memory, kShortest, kLongest)
      .in("jitter_percent", c.jitter_percent, 0, 100);
}

void check_application(const Config& c, Checker& check) {
  constexpr std::size_t kPayloadMax = std::size_t{1} << 30;
  check.in<Duration>("route_deadline", c.route_deadline, kShortest, kLongest)
      .in<std::size_t>("pending_max", c.pending_max, 1, kCountMax)
      .in<std::size_t>("payload_max", c.payload_max, 1, kPayloadMax)
      .in<std::size_t>("bulk_payload_max", c.bulk_payload_max, c.payload_max, kPayloadMax);
}

}  // namespace

Config Config::lan() {
  Config config;
  config.heartbeat_period = seconds(1);
  config.lease = seconds(3);
  config.probe_timeout = milliseconds(500);
  config.probe_retries = 2;
  config.failed_memory = seconds(30);
  config.rto_initial = milliseconds(200);
  // Above the pause that packing messages and acknowledgements into one frame may cause.
  config.rto_min = milliseconds(20);
  config.join_retry_min = milliseconds(200);
  config.join_retry_max = seconds(5);
  config.gap_expiry = seconds(5);
  config.leaf_exchange_period = seconds(10);
  config.table_upkeep_period = seconds(60);
  config.table_settle_period = milliseconds(250);
  config.relay_retry_period = seconds(5);
  config.table_probe_period_max = seconds(60);
  config.reunion_period = seconds(5);
  return config;
}

Config Config::wan() { return Config{}; }

Config Config::regional() {
  Config config = wan();
  config.lease = seconds(19);
  config.probe_timeout = milliseconds(500);
  config.probe_retries = 1;
  config.leaf_exchange_period = minutes(5);
  config.table_probe_period_max = minutes(20);
  return config;
}

Config Config::test() {
  Config config = lan();
  config.heartbeat_period = milliseconds(200);
  config.lease = milliseconds(600);
  config.probe_timeout = milliseconds(100);
  config.failed_memory = seconds(5);
  config.flip_memory = minutes(1);
  config.rto_initial = milliseconds(100);
  config.rto_min = milliseconds(10);
  config.rto_max = seconds(1);
  config.join_retry_min = milliseconds(50);
  config.join_retry_max = seconds(1);
  config.gap_expiry = seconds(1);
  config.leaf_exchange_period = seconds(2);
  config.table_upkeep_period = seconds(10);
  config.table_settle_period = milliseconds(100);
  config.relay_retry_period = seconds(1);
  config.table_probe_period_max = seconds(10);
  config.reunion_period = seconds(1);
  config.route_deadline = seconds(10);
  return config;
}

Duration Config::lease_renewal() const {
  const Duration latest = std::min(heartbeat_period, lease * 15 / 16);
  const Duration in_time = lease - probe_timeout * (probe_retries + 1) - probe_timeout * 2 / 3;
  return std::clamp(in_time, lease / 4, std::max(latest, lease / 4));
}

Result<void> Config::validate() const {
  Checker check;
  check_geometry(*this, check);
  check_detection(*this, check);
  check_hops(*this, check);
  check_join(*this, check);
  check_upkeep(*this, check);
  check_application(*this, check);
  return check.result();
}

}  // namespace pastry
