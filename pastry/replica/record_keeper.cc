#include "pastry/replica/record_keeper.h"

#include <algorithm>
#include <utility>

#include "pastry/replica/operation.h"
#include "pastry/replica/placement.h"
#include "pastry/replica/replica.h"

namespace pastry::replica {

namespace {

constexpr std::size_t kJobsPerRecord = 256;
constexpr std::size_t kRecordsAtATime = 4096;
constexpr std::size_t kFreshMax = 65536;
constexpr std::size_t kPostponedMax = 65536;

bool present(Answer answer) { return answer == Answer::ok || answer == Answer::removed; }

}  // namespace

void RecordKeeper::request(Context context, const Delivery& message, const RecordMessage& request,
                           const Payload& value) {
  // Whom there is no room for asks again.
  const bool known = work_.count(request.name) != 0;
  if (!known && work_.size() >= kRecordsAtATime) return;
  if (job_bytes_ + value.size() > options_->storing_bytes_max) return;
  Work& work = work_[request.name];
  const bool repeated = std::any_of(work.jobs.begin(), work.jobs.end(), [&](const Job& job) {
    return job.request.operation == request.operation && job.request.writer == request.writer;
  });
  if (repeated || work.jobs.size() >= kJobsPerRecord) return;
  job_bytes_ += value.size();
  work.jobs.push_back({message.source, request, value});
  if (work.jobs.size() == 1) next(context, request.name);
}

void RecordKeeper::membership_changed() {
  ++epoch_;
  fresh_.clear();
}

bool RecordKeeper::committing(const StoreName& name) const {
  const auto found = work_.find(name);
  return found != work_.end() && found->second.committing;
}

void RecordKeeper::mark_handles(Directory& directory) const {
  for (const auto& [name, work] : work_) {
    for (const Job& job : work.jobs) directory.mark(job.from);
    for (const Finding& finding : work.findings) directory.mark(finding.node);
  }
  for (const auto& [of, when] : postponed_) directory.mark(of.second);
}

void RecordKeeper::next(Context context, const StoreName& name) {
  if (fresh_.count(name) != 0) return execute(context, name);
  ask_all(context, name);
}

void RecordKeeper::answer(Context context, const StoreName& name, Recorded recorded,
                          ByteView value) {
  Work& work = work_[name];
  recorded.operation = work.jobs.front().request.operation;
  const Handle to = work.jobs.front().from;
  // A lost answer is asked for again.
  if (const auto frame = encode(recorded, value)) (void)context.send(to, *frame);
  auto jobs = std::move(work.jobs);
  job_bytes_ -= jobs.front().value.size();
  jobs.pop_front();
  if (jobs.empty()) {
    work_.erase(name);
    return;
  }
  work = Work{};
  work.jobs = std::move(jobs);
  next(context, name);
}

void RecordKeeper::later(Context context, const StoreName& name) {
  fresh_.erase(name);
  Recorded recorded;
  recorded.status = Answer::busy;
  answer(context, name, recorded);
}

// --- Learning the newest version ---

void RecordKeeper::ask_all(Context context, const StoreName& name) {
  Work& work = work_[name];
  work.epoch = epoch_;
  work.findings.clear();
  for (const Handle node : who_may_know(context, name.key(), context.config().replicas_max())) {
    work.findings.push_back({node, Answer::failed, {}});
  }
  work.waiting = work.findings.size();
  const Duration timeout = options_->attempt_timeout / 4;
  for (std::size_t i = 0; i < work.findings.size(); ++i) {
    if (work.findings[i].node == context.self()) {
      former_roots_->look_up(context, name, kNoHandle,
                             [this, name, i](Context c, Answer a, const EntryInfo& entry) {
                               found(c, name, i, a, entry);
                             });
      continue;
    }
    calls_->request(context, work.findings[i].node, Stat{name}, timeout,
                    [this, name, i](Context c, const Result<Frame>& frame) {
                      const auto* stat = frame ? std::get_if<Statted>(&frame->message) : nullptr;
                      found(c, name, i, stat ? stat->status : Answer::failed,
                            stat ? stat->entry : EntryInfo{});
                    });
  }
}

void RecordKeeper::found(Context context, const StoreName& name, std::size_t index, Answer answer,
                         const EntryInfo& entry) {
  Work& work = work_[name];
  work.findings[index].answer = answer;
  work.findings[index].entry = entry;
  if (--work.waiting == 0) asked_all(context, name);
}

void RecordKeeper::asked_all(Context context, const StoreName& name) {
  Work& work = work_[name];
  const Finding* best = nullptr;
  bool here = false;
  for (const Finding& finding : work.findings) {
    if (!present(finding.answer)) continue;
    if (best == nullptr || supersedes(finding.entry, best->entry)) best = &finding;
  }
  const RecordMessage& request = work.jobs.front().request;
  const std::size_t k = best != nullptr ? best->entry.meta.replicas
                        : request.update
                            ? request.replicas
                            : static_cast<std::size_t>(context.config().replicas_max());
  for (std::size_t i = 0; i < work.findings.size(); ++i) {
    const Finding& finding = work.findings[i];
    // The former root has an update under way.
    if (finding.answer != Answer::busy) {
      postponed_.erase({name, finding.node});
    } else if (may_postpone(context, name, finding.node)) {
      return later(context, name);
    }
    const bool answered = present(finding.answer) || finding.answer == Answer::missing;
    // Those beyond the k nearest may only hold what the k nearest are about to fetch.
    if (!answered && i < k) return later(context, name);
    if (finding.node == context.self()) {
      here = best == nullptr || same_write(finding.entry, best->entry);
    }
  }
  if (here) return learnt(context, name);
  adopt(context, name, best != nullptr ? best->node : kNoHandle);
}

// An update ends, for good or ill, soon after the time that its members have to answer, and who is
// not the root any more begins no other. Whoever has one under way for longer is stuck, or lies: it
// counts like one that does not answer.
bool RecordKeeper::may_postpone(Context context, const StoreName& name, Handle node) {
  const Duration longest = options_->attempt_timeout / 2;
  const Duration forgotten = options_->attempt_timeout;
  const Time now = context.now();
  if (postponed_.size() >= kPostponedMax) {
    std::erase_if(postponed_, [&](const auto& one) { return one.second.last + forgotten < now; });
    if (postponed_.size() >= kPostponedMax) return false;
  }
  const auto found = postponed_.try_emplace({name, node}, Postponed{now, now}).first;
  Postponed& postponed = found->second;
  if (postponed.last + forgotten < now) postponed.first = now;
  postponed.last = now;
  return now < postponed.first + longest;
}

void RecordKeeper::adopt(Context context, const StoreName& name, Handle from) {
  // Without itself in the set this node is not the root that it was taken for.
  if (from == kNoHandle) return later(context, name);
  calls_->request(context, from, Get{name}, options_->attempt_timeout / 4,
                  [this, name](Context c, const Result<Frame>& frame) {
                    const auto* got = frame ? std::get_if<Got>(&frame->message) : nullptr;
                    if (got == nullptr || !present(got->status) || got->entry.name != name) {
                      return later(c, name);
                    }
                    custodian_->write(c, got->entry, frame->body, WriteMode::repair,
                                      [this, name](Context c2, Stored stored) {
                                        if (stored.status != Answer::ok) return later(c2, name);
                                        learnt(c2, name);
                                      });
                  });
}

void RecordKeeper::learnt(Context context, const StoreName& name) {
  if (work_[name].epoch == epoch_ && fresh_.size() < kFreshMax) fresh_.insert(name);
  execute(context, name);
}

// --- Carrying out the job at the front ---

// Only as the root: whoever is after this node learns what it has written, or that it still writes.
void RecordKeeper::execute(Context context, const StoreName& name) {
  if (!context.is_root(name.key())) return later(context, name);
  Work& work = work_[name];
  work.committing = work.jobs.front().request.update;
  calls_->store(context, StoreGet{name}, [this, name](Context c, const Result<StoreOutcome>& got) {
    const auto* done = got ? std::get_if<StoreGetDone>(&*got) : nullptr;
    auto info = done ? entry_info(done->entry) : fail(ErrorCode::failed, "");
    const bool none = !got && got.error().code == ErrorCode::not_found;
    if (!info && !none) return later(c, name);
    const Answer answer = none                   ? Answer::missing
                          : info->meta.tombstone ? Answer::removed
                                                 : Answer::ok;
    const EntryInfo entry = info ? *info : EntryInfo{};
    const Payload value = done ? done->value : Payload();
    if (work_[name].jobs.front().request.update) return update(c, name, answer, entry, value);
    read(c, name, answer, entry, value);
  });
}

void RecordKeeper::read(Context context, const StoreName& name, Answer found,
                        const EntryInfo& entry, const Payload& value) {
  Recorded recorded;
  recorded.status = found == Answer::ok ? Answer::ok : Answer::missing;
  if (found == Answer::ok) recorded.version = entry.version;
  if (value.size() > kRecordMax) recorded.status = Answer::invalid;  // a blob
  answer(context, name, recorded, recorded.status == Answer::ok ? value.view() : ByteView{});
}

void RecordKeeper::update(Context context, const StoreName& name, Answer found, EntryInfo entry,
                          const Payload& value) {
  const Job& job = work_[name].jobs.front();
  Recorded recorded;
  if (present(found) && entry.meta.kind == EntryKind::blob) {
    recorded.status = Answer::invalid;
    return answer(context, name, recorded);
  }
  // Written already, but perhaps not by all: the client asks again because it heard nothing.
  if (found == Answer::ok && entry.meta.writer == job.request.writer) {
    return replicate(context, name, std::move(entry), value);
  }
  const std::uint64_t version = found == Answer::ok ? entry.version : 0;
  if (version != job.request.expected_version) {
    recorded.status = Answer::conflict;
    recorded.version = version;
    return answer(context, name, recorded);
  }
  EntryInfo next;
  next.name = name;
  next.version = present(found) ? entry.version + 1 : 1;
  next.size = job.value.size();
  next.digest = hash_->digest(job.value.view());
  next.meta.kind = EntryKind::record;
  next.meta.replicas = job.request.replicas;
  next.meta.writer = job.request.writer;
  next.meta.created = context.wall_time().unix_seconds;
  const Payload bytes = job.value;
  replicate(context, name, std::move(next), bytes);
}

void RecordKeeper::replicate(Context context, const StoreName& name, EntryInfo entry,
                             const Payload& value) {
  Work& work = work_[name];
  const RecordMessage& request = work.jobs.front().request;
  const auto set = context.replica_set(name.key(), request.replicas);
  const int stores = distinct_stores(context.directory(), set);
  Recorded recorded;
  recorded.status = Answer::unavailable;
  recorded.copies = static_cast<std::uint8_t>(stores);
  if (stores < (request.at_least > 0 ? request.at_least : request.replicas)) {
    return answer(context, name, recorded);
  }
  const auto frame = encode(StoreMessage{entry, true}, value.view());
  const bool member = std::find(set.begin(), set.end(), context.self()) != set.end();
  if (!frame || !member) return later(context, name);
  work.target = std::min<int>(stores, request.replicas);
  work.entry = std::move(entry);
  work.value = value;
  work.acknowledged.clear();
  work.worst = Answer::ok;
  work.waiting = set.size() - 1;
  if (work.waiting == 0) return write_here(context, name);
  for (const Handle node : set) {
    if (node == context.self()) continue;
    calls_->request(context, node, *frame, options_->attempt_timeout / 4,
                    [this, name, node](Context c, const Result<Frame>& answered) {
                      const auto* stored =
                          answered ? std::get_if<Stored>(&answered->message) : nullptr;
                      replicated(c, name, node, stored ? stored->status : Answer::failed);
                    });
  }
}

void RecordKeeper::replicated(Context context, const StoreName& name, Handle node, Answer status) {
  Work& work = work_[name];
  if (status == Answer::ok) {
    work.acknowledged.push_back(node);
  } else if (work.worst != Answer::full) {
    work.worst = status;
  }
  if (--work.waiting == 0) write_here(context, name);
}

void RecordKeeper::write_here(Context context, const StoreName& name) {
  Work& work = work_[name];
  work.acknowledged.push_back(context.self());
  if (distinct_stores(context.directory(), work.acknowledged) < work.target) {
    if (work.worst != Answer::full) return later(context, name);
    fresh_.erase(name);
    Recorded recorded;
    recorded.status = Answer::full;
    return answer(context, name, recorded);
  }
  custodian_->write(
      context, work.entry, work.value, WriteMode::strict,
      [this, name](Context c, Stored stored) { written_here(c, name, stored.status); });
}

void RecordKeeper::written_here(Context context, const StoreName& name, Answer status) {
  if (status != Answer::ok) return later(context, name);
  const Work& work = work_[name];
  Recorded recorded;
  recorded.status = Answer::ok;
  recorded.version = work.entry.version;
  recorded.copies =
      static_cast<std::uint8_t>(distinct_stores(context.directory(), work.acknowledged));
  recorded.wanted = work.jobs.front().request.replicas;
  answer(context, name, recorded);
}

}  // namespace pastry::replica
