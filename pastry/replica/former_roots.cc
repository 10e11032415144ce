#include "pastry/replica/former_roots.h"

#include <algorithm>
#include <utility>

#include "pastry/replica/placement.h"

namespace pastry::replica {

namespace {

// Names asked about at a time, and in answer to peers that are new themselves; who asks for more is
// told to ask again, like those beyond so many that wait for the same name.
constexpr std::size_t kQuestionsMax = 1024;
constexpr std::size_t kQuestionsOfPeersMax = kQuestionsMax / 2;
constexpr std::size_t kWaitingMax = 64;
// Elders asked about a name, one after the other, while none knows; those that are gone not
// counted.
constexpr std::size_t kCandidatesMax = 4;
// How long a node may take to start again.
constexpr Duration kSilentMax = seconds(5);

bool present(Answer answer) { return answer == Answer::ok || answer == Answer::removed; }

// The leaf with the id of `peer`, which may have started again since it was noted.
Handle leaf_like(Context context, Handle peer) {
  const auto most = static_cast<std::size_t>(context.config().leaf_set);
  for (const Handle leaf : context.neighbor_set(most)) {
    if (context.id(leaf) == context.id(peer)) return leaf;
  }
  return kNoHandle;
}

}  // namespace

bool FormerRoots::is_new(Context context) const {
  return *elders_ && context.now() < (*elders_)->until;
}

// A node that is closer to the key than the asker was not the root before that one came.
void FormerRoots::stat(Context context, const Incoming& message, const Stat& request) {
  const Handle asker = message.from;
  const auto answer = [to = Incoming{asker, message.request, {}, {}}](Context c, Answer status,
                                                                      const EntryInfo& entry) {
    Calls::answer(c, to, Statted{status, entry});
  };
  if (!request.former) return custodian_->look_up(context, request.name, answer);
  const Key key = request.name.key();
  const bool before = closer(key, context.id(asker), context.self_id());
  if (before) return find_out(context, request.name, {asker, true, answer});
  custodian_->look_up(context, request.name,
                      [this, answer](Context c, Answer status, const EntryInfo& entry) {
                        const bool unsure = status == Answer::missing && is_new(c);
                        answer(c, unsure ? Answer::failed : status, entry);
                      });
}

void FormerRoots::look_up(Context context, const StoreName& name, Handle asker,
                          Custodian::Found found) {
  find_out(context, name, {asker, false, std::move(found)});
}

void FormerRoots::find_out(Context context, const StoreName& name, Waiting waiting) {
  custodian_->look_up(
      context, name,
      [this, name, waiting = std::move(waiting)](Context c, Answer answer, const EntryInfo& entry) {
        if (answer == Answer::missing && is_new(c)) return wait(c, name, waiting);
        waiting.found(c, answer, entry);
      });
}

void FormerRoots::wait(Context context, const StoreName& name, Waiting waiting) {
  const auto known = questions_.find(name);
  const bool room =
      known != questions_.end()
          ? known->second.waiting.size() < kWaitingMax
          : questions_.size() < (waiting.former ? kQuestionsOfPeersMax : kQuestionsMax);
  if (!room) return waiting.found(context, Answer::busy, {});
  Question& question = known != questions_.end() ? known->second : begin(context, name);
  if (waiting.former && question.timer == 0) {
    question.timer = calls_->after(context, options_->attempt_timeout / 16,
                                   [this, name](Context c) { put_off(c, name); });
  }
  question.waiting.push_back(std::move(waiting));
  if (known == questions_.end()) ask_next(context, name);
}

FormerRoots::Question& FormerRoots::begin(Context context, const StoreName& name) {
  Question question;
  for (const Elders::Elder& elder : (*elders_)->members) question.candidates.push_back(elder.peer);
  const Key key = name.key();
  std::sort(question.candidates.begin(), question.candidates.end(),
            [&](Handle a, Handle b) { return closer(key, context.id(a), context.id(b)); });
  return questions_.emplace(name, std::move(question)).first->second;
}

void FormerRoots::ask_next(Context context, const StoreName& name) {
  Question& question = questions_.at(name);
  const bool enough = question.next - question.gone == kCandidatesMax;
  if (enough || question.next == question.candidates.size()) {
    return end(context, name, question.unsure ? Answer::failed : Answer::missing);
  }
  question.repeated = false;
  ask(context, name, question.candidates[question.next++]);
}

void FormerRoots::ask(Context context, const StoreName& name, Handle peer) {
  calls_->request(context, peer, Stat{name, true}, options_->attempt_timeout / 8,
                  [this, name, peer](Context c, const Result<Frame>& frame) {
                    const auto* stat = frame ? std::get_if<Statted>(&frame->message) : nullptr;
                    if (stat != nullptr) return answered(c, name, peer, *stat);
                    silent(c, name, peer, frame ? ErrorCode::invalid : frame.error().code);
                  });
}

// Whoever lives answers in half the time, if only that it does not know. Where there is no room for
// a request nothing is known of the peer.
void FormerRoots::silent(Context context, const StoreName& name, Handle peer, ErrorCode why) {
  Question& question = questions_.at(name);
  if (why == ErrorCode::timed_out && !std::exchange(question.repeated, true)) {
    return ask(context, name, peer);
  }
  const Handle again = leaf_like(context, peer);
  if (again != kNoHandle && again != peer) {
    if (Elders::Elder* known = elder(peer)) known->peer = again;
    question.candidates[question.next - 1] = again;
    question.repeated = false;
    return ask(context, name, again);
  }
  if (why == ErrorCode::full || again == peer || !gone(context, peer)) {
    return unsure(context, name);
  }
  ++question.gone;
  ask_next(context, name);
}

// A leaf is probed by others as well: it is gone when it is no leaf any more. Who died elsewhere is
// never declared dead, and keys must not be unreadable for as long as this node is new.
bool FormerRoots::gone(Context context, Handle peer) {
  Elders::Elder* known = elder(peer);
  if (known == nullptr) return *elders_ != nullptr;  // found out meanwhile
  known->silent_since = std::min(known->silent_since, context.now());
  if (context.now() - known->silent_since < kSilentMax) return false;
  std::erase_if((*elders_)->members,
                [peer](const Elders::Elder& other) { return other.peer == peer; });
  return true;
}

Elders::Elder* FormerRoots::elder(Handle peer) {
  if (!*elders_) return nullptr;
  for (Elders::Elder& known : (*elders_)->members) {
    if (known.peer == peer) return &known;
  }
  return nullptr;
}

void FormerRoots::answered(Context context, const StoreName& name, Handle peer,
                           const Statted& stat) {
  if (Elders::Elder* known = elder(peer)) known->silent_since = kNever;
  if (present(stat.status)) return fetch(context, name, peer, stat.entry.size);
  if (stat.status == Answer::busy) return end(context, name, Answer::busy);
  Question& question = questions_.at(name);
  if (stat.status == Answer::missing) {
    // Unless one that was the root later than this peer did not know.
    return question.unsure ? ask_next(context, name) : end(context, name, Answer::missing);
  }
  const bool finds_out = closer(name.key(), context.self_id(), context.id(peer));
  if (finds_out || stat.status != Answer::failed) return unsure(context, name);
  ask_next(context, name);
}

void FormerRoots::unsure(Context context, const StoreName& name) {
  questions_.at(name).unsure = true;
  ask_next(context, name);
}

// A client waits for it: not held up by what is repaired, but bounded like that.
void FormerRoots::fetch(Context context, const StoreName& name, Handle peer, std::uint64_t size) {
  if (!Custodian::near(context, name.key())) return end(context, name, Answer::failed);
  if (fetching_bytes_ + size > options_->pull_window_bytes) return end(context, name, Answer::busy);
  fetching_bytes_ += size;
  calls_->request(context, peer, Get{name}, options_->attempt_timeout / 4,
                  [this, name, peer, size](Context c, const Result<Frame>& frame) {
                    fetching_bytes_ -= size;
                    const auto* got = frame ? std::get_if<Got>(&frame->message) : nullptr;
                    const bool good = got != nullptr && present(got->status) &&
                                      got->entry.name == name && got->entry.size <= size &&
                                      got->entry.size == frame->body.size();
                    if (!good) return unsure(c, name);
                    keep(c, name, peer, *got, frame->body);
                  });
}

// Who is no member any more may not know that it was removed since.
void FormerRoots::keep(Context context, const StoreName& name, Handle peer, const Got& got,
                       Payload body) {
  const EntryInfo& entry = got.entry;
  const bool member = contains(placement(context, name.key(), entry.meta.replicas).set, peer);
  if (!member) strays_->note(context.now(), offered(entry));
  custodian_->write(context, entry, std::move(body), WriteMode::repair,
                    [this, name, entry, status = got.status](Context c, Stored stored) {
                      const bool kept = stored.status == Answer::ok;
                      if (kept) kept_(c);
                      end(c, name, kept ? status : Answer::failed, kept ? entry : EntryInfo{});
                    });
}

// Who is new and asks would take this node for dead.
void FormerRoots::put_off(Context context, const StoreName& name) {
  Question& question = questions_.at(name);
  question.timer = 0;
  const auto soon = std::stable_partition(question.waiting.begin(), question.waiting.end(),
                                          [](const Waiting& waiting) { return !waiting.former; });
  const std::vector<Waiting> put_off(std::make_move_iterator(soon),
                                     std::make_move_iterator(question.waiting.end()));
  question.waiting.erase(soon, question.waiting.end());
  for (const Waiting& waiting : put_off) waiting.found(context, Answer::failed, {});
}

void FormerRoots::end(Context context, const StoreName& name, Answer answer,
                      const EntryInfo& entry) {
  const auto question = questions_.extract(name);
  calls_->cancel(context, question.mapped().timer);
  for (const Waiting& waiting : question.mapped().waiting) waiting.found(context, answer, entry);
}

void FormerRoots::mark_handles(Directory& directory) const {
  for (const auto& [name, question] : questions_) {
    for (const Handle peer : question.candidates) directory.mark(peer);
    for (const Waiting& waiting : question.waiting) directory.mark(waiting.asker);
  }
}

}  // namespace pastry::replica
