#include "apps/sim/services/services.h"

#include "apps/sim/services/file_shape.h"
#include "pastry/core/application_ids.h"
#include "pastry/replica/memory_store.h"

namespace pastry::cli {

Services::Services(bool files, bool topics) : with_files_(files), with_topics_(topics) {
  past_options_.block_bytes = kBlockBytes;
  past_options_.manifest_entries = kManifestEntries;
  past_options_.window = 4;
  settings_.hash = &hash_;
  settings_.overlay = "fuzz";
}

void Services::configure(sim::SimulatorOptions& options) {
  options.hash = &hash_;
  options.stores = [this](sim::NodeIndex) { return std::make_unique<replica::MemoryStore>(hash_); };
}

void Services::begin(sim::Simulator& simulator, sim::fuzz::Watcher& watcher, bool crash_only) {
  simulator_ = &simulator;
  if (with_files_) files_ = std::make_unique<FileWork>(simulator, watcher, hash_, crash_only);
  if (with_topics_) topics_ = std::make_unique<TopicWork>(simulator, watcher, crash_only);
}

void Services::install(sim::NodeIndex node) {
  std::unique_ptr<Stack>& stack = stacks_[node];
  stack = std::make_unique<Stack>(*this);
  simulator_->add_application(node, kReplicaApplication, stack->replica);
  simulator_->add_application(node, kScribeApplication, stack->scribe);
  if (files_) files_->started(node, stack->replica, stack->past);
  if (topics_) topics_->started(node, stack->scribe);
}

void Services::work(sim::NodeIndex node, std::uint32_t count, std::uint64_t salt) {
  Random random(salt);
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool file = random.below(2) == 0;
    if (files_ && (file || !topics_)) {
      files_->work(node, random);
    } else {
      topics_->work(node, random);
    }
  }
}

void Services::gone(sim::NodeIndex node) {
  if (files_) files_->gone(node);
  if (topics_) topics_->gone(node);
  stacks_.erase(node);
}

void Services::excuse() {
  if (files_) files_->excuse();
  if (topics_) topics_->excuse();
}

void Services::examine() {
  if (files_) files_->examine();
  if (topics_) topics_->examine();
}

void Services::proceed() {
  if (topics_) topics_->proceed();
  if (files_) files_->proceed();
}

std::string Services::unrest() const {
  std::string text;
  if (topics_) text += topics_->unrest();
  if (files_) text += files_->unrest();
  return text;
}

sim::fuzz::GuestFigures Services::figures() const {
  sim::fuzz::GuestFigures figures;
  if (files_) files_->count(figures);
  if (topics_) topics_->count(figures);
  return figures;
}

}  // namespace pastry::cli
