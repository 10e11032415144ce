// Figures of many samples in constant memory: exact mean and maximum, quantiles within 1 %.
#pragma once

#include <cstdint>
#include <memory>

namespace pastry::sim {

class Distribution {
 public:
  // Quantiles are told apart in [min, max], 0 < min < max; what lies outside counts as the nearer
  // end.
  Distribution(double min, double max);
  ~Distribution();
  Distribution(Distribution&&) noexcept;
  Distribution& operator=(Distribution&&) noexcept;

  void add(double sample);

  std::uint64_t count() const { return count_; }
  double mean() const { return count_ == 0 ? 0.0 : sum_ / static_cast<double>(count_); }
  double max() const { return max_; }
  // The value that a share q in [0, 1] of the samples do not exceed; 0 without samples.
  double quantile(double q) const;
  // Share of the samples that are at most `limit`, within 1 % of the limit; 1 without samples.
  double share_up_to(double limit) const;

 private:
  struct Histogram;

  std::unique_ptr<Histogram> histogram_;
  std::uint64_t count_ = 0;
  double sum_ = 0;
  double max_ = 0;
};

}  // namespace pastry::sim
