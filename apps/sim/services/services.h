// PAST and SCRIBE on fuzzed nodes, as in a node process: the replica layer with a store that
// survives crashes, files on it, topics whose roots are kept by it.
#pragma once

#include <map>
#include <memory>

#include "apps/sim/services/file_work.h"
#include "apps/sim/services/topic_work.h"
#include "past/past.h"
#include "pastry/identity/sha256.h"
#include "pastry/replica/replica.h"
#include "pastry/sim/fuzz/guests.h"
#include "scribe/replica_registry.h"
#include "scribe/scribe.h"

namespace pastry::cli {

class Services final : public sim::fuzz::Guests {
 public:
  Services(bool files, bool topics);

  void configure(sim::SimulatorOptions& options) override;
  void begin(sim::Simulator& simulator, sim::fuzz::Watcher& watcher, bool crash_only) override;
  void install(sim::NodeIndex node) override;
  void work(sim::NodeIndex node, std::uint32_t count, std::uint64_t salt) override;
  void gone(sim::NodeIndex node) override;
  void excuse() override;
  void examine() override;
  void proceed() override;
  std::string unrest() const override;
  sim::fuzz::GuestFigures figures() const override;

 private:
  struct Stack {
    explicit Stack(const Services& services)
        : replica(services.hash_, services.replica_options_),
          past(replica, services.hash_, services.past_options_),
          registry(replica),
          scribe(services.settings_, &registry) {}

    replica::Replica replica;
    past::Past past;
    scribe::ReplicaRegistry registry;
    scribe::Scribe scribe;
  };

  identity::Sha256 hash_;
  replica::Options replica_options_;
  past::Options past_options_;
  scribe::Settings settings_;
  bool with_files_;
  bool with_topics_;
  sim::Simulator* simulator_ = nullptr;
  std::unique_ptr<FileWork> files_;
  std::unique_ptr<TopicWork> topics_;
  std::map<sim::NodeIndex, std::unique_ptr<Stack>> stacks_;  // of nodes that run
};

}  // namespace pastry::cli
