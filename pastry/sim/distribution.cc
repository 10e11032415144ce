#include "pastry/sim/distribution.h"

#include <algorithm>
#include <boost/histogram.hpp>
#include <cmath>
#include <vector>

namespace pastry::sim {

namespace {

namespace bh = boost::histogram;
using LogAxis = bh::axis::regular<double, bh::axis::transform::log>;

// Buckets per factor of e: neighbours differ by 1 %.
constexpr double kBucketsPerE = 100;

LogAxis make_axis(double min, double max) {
  const double buckets = std::ceil(kBucketsPerE * std::log(max / min));
  return {static_cast<unsigned>(buckets), min, max};
}

}  // namespace

struct Distribution::Histogram {
  Histogram(double min, double max)
      : counts(bh::make_histogram_with(std::vector<std::uint64_t>(), make_axis(min, max))) {}

  decltype(bh::make_histogram_with(std::vector<std::uint64_t>(), std::declval<LogAxis>())) counts;
};

Distribution::Distribution(double min, double max)
    : histogram_(std::make_unique<Histogram>(min, max)) {}

Distribution::~Distribution() = default;
Distribution::Distribution(Distribution&&) noexcept = default;
Distribution& Distribution::operator=(Distribution&&) noexcept = default;

void Distribution::add(double sample) {
  histogram_->counts(sample);
  ++count_;
  sum_ += sample;
  max_ = std::max(max_, sample);
}

double Distribution::quantile(double q) const {
  const double wanted = q * static_cast<double>(count_);
  std::uint64_t seen = 0;
  const auto& axis = histogram_->counts.axis();
  for (int bucket = -1; bucket <= axis.size(); ++bucket) {  // under- and overflow included
    seen += histogram_->counts.at(bucket);
    if (seen > 0 && static_cast<double>(seen) >= wanted) {
      return bucket == axis.size() ? max_ : std::min(max_, axis.value(bucket + 1));
    }
  }
  return max_;
}

double Distribution::share_up_to(double limit) const {
  if (count_ == 0) return 1;
  const auto& axis = histogram_->counts.axis();
  std::uint64_t seen = 0;
  for (int bucket = -1; bucket <= axis.index(limit) && bucket <= axis.size(); ++bucket) {
    seen += histogram_->counts.at(bucket);
  }
  return static_cast<double>(seen) / static_cast<double>(count_);
}

}  // namespace pastry::sim
