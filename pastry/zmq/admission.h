// Who may send to this process: answers hellos and keeps the processes that were admitted.
//
// An admitted process gets a random session token with its welcome (the first eight bytes of
// HelloAccepted::challenge) and puts it in front of each frame on its data and bulk connections.
// Frames with any other token are not looked at. Without identity this proves no more than that the
// sender reached the admission socket; with it, the connection's transport key takes its place.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/verifier.h"
#include "pastry/wire/hello.h"
#include "pastry/zmq/frame.h"
#include "pastry/zmq/options.h"

namespace pastry::host {

// True the first time a key is seen; remembers a bounded number and then forgets all.
class OncePerKey {
 public:
  bool first(const std::string& key);

 private:
  static constexpr std::size_t kMax = 1024;
  std::unordered_set<std::string> seen_;
};

struct AdmittedProcess {
  HostInfo host;
  std::vector<Handle> nodes;  // kept in the directory while admitted
  HostIndex index = kNoHost;  // valid while `nodes` is not empty
  SessionToken token = 0;
  SessionToken previous_token = 0;  // of the hello before, whose frames may still be on their way
  Time last_heard{};
  bool complained = false;  // one of its messages was malformed, and that was logged
};

class Admission {
 public:
  Admission(Directory& directory, const Verifier& verifier, const TransportOptions& options)
      : directory_(directory), verifier_(verifier), options_(options) {}

  // What this process says of itself; the nodes may change until the first hello.
  void set_self(HostInfo host, std::vector<wire::HelloNode> nodes);
  const wire::Hello& hello() const { return hello_; }
  void stop() { stopping_ = true; }

  // The encoded answer to a received hello; empty if none can be given. `from` names the sender in
  // the log.
  Bytes answer(ByteView frame, const std::string& from, Time now);

  // The process with this token, or nullptr.
  AdmittedProcess* find(SessionToken token) {
    const auto found = by_token_.find(token);
    return found == by_token_.end() ? nullptr : found->second;
  }

  // Forgets processes that were silent so long that they must dial anew anyway.
  void expire(Time now);
  void mark_handles();

  std::size_t size() const { return by_key_.size(); }
  std::uint64_t accepted() const { return accepted_; }
  std::uint64_t refused() const { return refused_; }

 private:
  struct KeyHash {
    std::size_t operator()(const TransportKey& key) const {
      std::size_t value = 0;
      std::memcpy(&value, key.bytes.data(), sizeof value);
      return value;
    }
  };
  struct Refusal {
    wire::HelloRefusal reason;
    std::string detail;
  };

  tl::expected<std::vector<PeerInfo>, Refusal> examine(const wire::Hello& hello) const;
  tl::expected<AdmittedProcess*, Refusal> admit(const wire::Hello& hello, Time now);
  Bytes refuse(const Refusal& refusal, const wire::Challenge& echo, const std::string& from);
  void forget(AdmittedProcess& process);
  bool make_room(Time now);

  Directory& directory_;
  const Verifier& verifier_;
  const TransportOptions& options_;
  wire::Hello hello_;
  bool stopping_ = false;
  std::unordered_map<TransportKey, std::unique_ptr<AdmittedProcess>, KeyHash> by_key_;
  std::unordered_map<SessionToken, AdmittedProcess*> by_token_;
  OncePerKey logged_;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace pastry::host
