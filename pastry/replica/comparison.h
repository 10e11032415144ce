// The other side of maintenance: answers what a peer asks about entries that both should hold.
#pragma once

#include <cstdint>
#include <memory>

#include "pastry/replica/custodian.h"
#include "pastry/replica/puller.h"
#include "pastry/replica/strays.h"

namespace pastry::replica {

class Comparison {
 public:
  // All must outlive this.
  Comparison(const Options& options, Calls& calls, Custodian& custodian, Puller& puller,
             Strays& strays)
      : options_(&options),
        calls_(&calls),
        custodian_(&custodian),
        puller_(&puller),
        strays_(&strays) {}

  // `doubtful`: this node was away and does not know yet what it missed.
  void summary(Context context, const Incoming& message, const Summary& request, bool doubtful);
  void offer(Context context, const Incoming& message, Offer request);

 private:
  struct Sum;
  struct Judgement;

  void add_page(Context context, std::shared_ptr<Sum> sum);
  void judge(Context context, Judgement& judgement, std::size_t index, Answer answer,
             const EntryInfo& present);
  void want(Context context, const Offered& entry, Handle source);

  const Options* options_;
  Calls* calls_;
  Custodian* custodian_;
  Puller* puller_;
  Strays* strays_;
  std::size_t answering_ = 0;
};

}  // namespace pastry::replica
