#include "pastry/replica/puller.h"

#include <algorithm>

namespace pastry::replica {

bool Puller::want(Context context, const Offered& entry, Handle source) {
  const auto known = pulls_.find(entry.name);
  if (known == pulls_.end()) {
    if (pulls_.size() >= options_->pulls_max) return false;
    add(context, entry, {source}, false);
    return true;
  }
  Pull& pull = known->second;
  const bool told =
      std::find(pull.sources.begin(), pull.sources.end(), source) != pull.sources.end();
  if (told || pull.sources.size() >= 16) return true;
  const bool queued = queue_.erase({pull.sources.size(), entry.name}) != 0;
  pull.sources.push_back(source);
  if (queued) queue_.emplace(pull.sources.size(), entry.name);
  return true;
}

bool Puller::wants(const Offered& entry) const {
  const auto known = pulls_.find(entry.name);
  return known != pulls_.end() && known->second.entry.fingerprint == entry.fingerprint;
}

void Puller::heal(Context context, const StoreName& name) {
  if (pulls_.count(name) != 0 || pulls_.size() >= options_->pulls_max) return;
  auto sources = context.replica_set(name.key(), context.config().replicas_max());
  std::erase(sources, context.self());
  Offered entry;
  entry.name = name;
  if (!sources.empty()) add(context, entry, std::move(sources), true);
}

void Puller::add(Context context, const Offered& entry, std::vector<Handle> sources, bool replace) {
  queue_.emplace(sources.size(), entry.name);
  pending_bytes_ += entry.size;
  pulls_.emplace(entry.name, Pull{entry, std::move(sources), 0, false, replace});
  start_some(context);
}

void Puller::start_some(Context context) {
  while (!queue_.empty() && may_start(context)) {
    const StoreName name = queue_.begin()->second;
    queue_.erase(queue_.begin());
    Pull& pull = pulls_.at(name);
    pull.running = true;
    ++running_;
    running_bytes_ += pull.entry.size;
    const auto cost = Duration(static_cast<std::int64_t>((pull.entry.size * 1'000'000'000ULL) /
                                                         options_->repair_bytes_per_second));
    next_start_ = std::max(next_start_, context.now()) + cost;
    start(context, name);
  }
}

bool Puller::may_start(Context context) {
  if (running_ >= options_->pull_window || running_bytes_ >= options_->pull_window_bytes) {
    return false;
  }
  if (next_start_ <= context.now()) return true;
  if (timer_ == 0) {
    timer_ = calls_->after(context, next_start_ - context.now(), [this](Context c) {
      timer_ = 0;
      start_some(c);
    });
  }
  return false;
}

void Puller::start(Context context, const StoreName& name) {
  Pull& pull = pulls_.at(name);
  const Handle source = pull.sources[pull.tried++];
  calls_->request(
      context, source, Get{name, true}, options_->attempt_timeout,
      [this, name](Context c, const Result<Frame>& answer) { arrived(c, name, answer); });
}

void Puller::arrived(Context context, const StoreName& name, const Result<Frame>& answer) {
  const auto* got = answer ? std::get_if<Got>(&answer->message) : nullptr;
  const bool good = got != nullptr &&
                    (got->status == Answer::ok || got->status == Answer::removed) &&
                    got->entry.name == name && got->entry.size == answer->body.size();
  if (!good) return next_source(context, name);
  if (!wanted_(got->entry)) return forget(context, name);
  const WriteMode mode = pulls_.at(name).replace ? WriteMode::replace : WriteMode::repair;
  custodian_->write(context, got->entry, answer->body, mode,
                    [this, name](Context c, Stored stored) { written(c, name, stored.status); });
}

void Puller::written(Context context, const StoreName& name, Answer answer) {
  if (answer == Answer::corrupt) return next_source(context, name);
  if (answer == Answer::ok) {
    ++pulled_;
    if (pulls_.at(name).replace) ++healed_;
  }
  // Whatever else went wrong here (no space, the disk) goes wrong with the next source too; the
  // next comparison finds out.
  forget(context, name);
}

void Puller::next_source(Context context, const StoreName& name) {
  const Pull& pull = pulls_.at(name);
  if (pull.tried < pull.sources.size()) return start(context, name);
  forget(context, name);
}

void Puller::forget(Context context, const StoreName& name) {
  const auto pull = pulls_.find(name);
  --running_;
  running_bytes_ -= pull->second.entry.size;
  pending_bytes_ -= pull->second.entry.size;
  pulls_.erase(pull);
  if (pulls_.empty()) return drained_(context);
  start_some(context);
}

void Puller::mark_handles(Directory& directory) const {
  for (const auto& [name, pull] : pulls_) {
    for (const Handle source : pull.sources) directory.mark(source);
  }
}

}  // namespace pastry::replica
