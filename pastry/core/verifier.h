// Who may be a peer: the question that the core asks and that pastry/identity answers.
#pragma once

#include "pastry/core/directory.h"
#include "pastry/core/error.h"

namespace pastry {

class Verifier {
 public:
  virtual ~Verifier() = default;

  // Whether `peer` is a member of this overlay: signature, certificate, addresses. Called by the
  // codec once for each description it has not seen before. Must be quick: it runs on the loop.
  virtual Result<void> verify(const PeerInfo& peer) const = 0;
};

// No identity at all: accepts every peer whose addresses are all on the loopback interface (or, in
// the simulator, who has none), refuses every other with ErrorCode::refused.
class InsecureLoopbackVerifier final : public Verifier {
 public:
  Result<void> verify(const PeerInfo& peer) const override;
};

}  // namespace pastry
