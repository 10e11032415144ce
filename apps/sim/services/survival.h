// Whether something that was acknowledged with k copies may be gone: only if k nodes that had it
// died before there were k of them again.
#pragma once

#include <cstddef>

#include "pastry/core/timestamp.h"

namespace pastry::cli {

class Survival {
 public:
  // `patience`: who gives a copy away may act that long on what the others said before they died.
  Survival(Time now, Duration patience, std::size_t wanted, std::size_t live);

  // A node that had it died; `live` had it before, this one included.
  void death(Time now, std::size_t live);
  bool may_be_gone() const { return deaths_ >= wanted_; }
  std::size_t deaths() const { return deaths_; }

 private:
  Duration patience_;
  std::size_t wanted_;
  std::size_t deaths_;  // since there were as many as wanted
  Time last_;           // death
};

}  // namespace pastry::cli
