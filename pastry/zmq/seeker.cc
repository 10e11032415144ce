#include "pastry/zmq/seeker.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace pastry::host {
namespace {

constexpr int kJitterPercent = 25;

bool final(const Error& error) {
  return error.code == ErrorCode::invalid || error.code == ErrorCode::incompatible ||
         error.code == ErrorCode::conflict;
}

}  // namespace

// What one round has heard so far.
struct Seeker::Round {
  std::size_t outstanding = 0;
  bool answered = false;
  std::optional<Error> refusal;  // the first that is final, or of this overlay
  std::optional<Error> failure;  // the first that is not

  Error verdict() const {
    if (!failure || (refusal && refusal->code == ErrorCode::conflict)) return *refusal;
    if (!refusal) return *failure;
    return {failure->code, failure->message + "; " + refusal->message};
  }
};

Seeker::Seeker(Transport& transport, std::vector<Endpoint> endpoints, Duration retry_min,
               Duration retry_max, std::uint64_t seed, Hooks hooks)
    : transport_(transport),
      endpoints_(std::move(endpoints)),
      pause_(retry_min),
      retry_max_(retry_max),
      random_(seed),
      hooks_(std::make_shared<Hooks>(std::move(hooks))) {}

Seeker::~Seeker() { *hooks_ = {}; }

void Seeker::advance(Time now) {
  if (now < next_round_) return;
  next_round_ = now + random_.jittered(pause_, kJitterPercent);
  pause_ = std::min(pause_ * 2, retry_max_);
  auto round = std::make_shared<Round>();
  round->outstanding = endpoints_.size();
  for (const Endpoint& endpoint : endpoints_) {
    transport_.greet(endpoint, now, [round, hooks = hooks_](Result<wire::HelloAccepted> answer) {
      --round->outstanding;
      if (answer) {
        round->answered = true;
        if (hooks->accepted) hooks->accepted(*answer);
      } else {
        auto& first = final(answer.error()) ? round->refusal : round->failure;
        if (!first || answer.error().code == ErrorCode::conflict) first = answer.error();
      }
      if (round->outstanding == 0 && !round->answered && hooks->failed)
        hooks->failed(round->verdict());
    });
  }
}

}  // namespace pastry::host
