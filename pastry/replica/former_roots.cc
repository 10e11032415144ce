#include "pastry/replica/former_roots.h"

#include <algorithm>
#include <utility>

#include "pastry/replica/placement.h"

namespace pastry::replica {

namespace {

// Names asked about at a time; who asks for more is told to ask again.
constexpr std::size_t kQuestionsMax = 1024;
// Elders asked about a name, one after the other, while none answers.
constexpr std::size_t kCandidatesMax = 4;

bool present(Answer answer) { return answer == Answer::ok || answer == Answer::removed; }

}  // namespace

void FormerRoots::stat(Context context, const Incoming& message, const Stat& request) {
  const auto answer = [to = Incoming{message.from, message.request, {}, {}}](
                          Context c, Answer status, const EntryInfo& entry) {
    Calls::answer(c, to, Statted{status, entry});
  };
  if (request.former || context.is_root(request.name.key())) {
    look_up(context, request.name, answer);
  } else {
    custodian_->look_up(context, request.name, answer);
  }
}

void FormerRoots::look_up(Context context, const StoreName& name, Custodian::Found found) {
  custodian_->look_up(
      context, name,
      [this, name, found = std::move(found)](Context c, Answer answer, const EntryInfo& entry) {
        const bool ask = answer == Answer::missing && *elders_ && c.now() < (*elders_)->until;
        if (!ask) return found(c, answer, entry);
        begin(c, name, found);
      });
}

void FormerRoots::begin(Context context, const StoreName& name, Custodian::Found found) {
  const auto known = questions_.find(name);
  if (known != questions_.end()) return known->second.waiting.push_back(std::move(found));
  if (questions_.size() >= kQuestionsMax) return found(context, Answer::failed, {});
  Question question{{std::move(found)}, (*elders_)->peers, 0};
  const Key key = name.key();
  std::sort(question.candidates.begin(), question.candidates.end(),
            [&](Handle a, Handle b) { return closer(key, context.id(a), context.id(b)); });
  question.candidates.resize(std::min(question.candidates.size(), kCandidatesMax));
  questions_.emplace(name, std::move(question));
  ask_next(context, name);
}

// One that is slow counts like one that is gone: who died outside of the leaf set is never declared
// dead, and keys must not be unreadable for as long as this node is new.
void FormerRoots::ask_next(Context context, const StoreName& name) {
  Question& question = questions_.at(name);
  if (question.asked == question.candidates.size()) return end(context, name, Answer::missing);
  const Handle peer = question.candidates[question.asked++];
  calls_->request(context, peer, Stat{name, true}, options_->attempt_timeout / 8,
                  [this, name, peer](Context c, const Result<Frame>& frame) {
                    answered(c, name, peer,
                             frame ? std::get_if<Statted>(&frame->message) : nullptr);
                  });
}

void FormerRoots::answered(Context context, const StoreName& name, Handle peer,
                           const Statted* stat) {
  if (stat == nullptr) return ask_next(context, name);
  if (present(stat->status)) return fetch(context, name, peer);
  if (stat->status == Answer::missing || stat->status == Answer::busy) {
    return end(context, name, stat->status);
  }
  ask_next(context, name);
}

void FormerRoots::fetch(Context context, const StoreName& name, Handle peer) {
  calls_->request(context, peer, Get{name}, options_->attempt_timeout / 4,
                  [this, name, peer](Context c, const Result<Frame>& frame) {
                    const auto* got = frame ? std::get_if<Got>(&frame->message) : nullptr;
                    const bool good = got != nullptr && present(got->status) &&
                                      got->entry.name == name &&
                                      got->entry.size == frame->body.size();
                    if (!good) return end(c, name, Answer::failed);
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

void FormerRoots::end(Context context, const StoreName& name, Answer answer,
                      const EntryInfo& entry) {
  auto question = questions_.extract(name);
  for (const Custodian::Found& found : question.mapped().waiting) found(context, answer, entry);
}

void FormerRoots::mark_handles(Directory& directory) const {
  for (const auto& [name, question] : questions_) {
    for (const Handle peer : question.candidates) directory.mark(peer);
  }
}

}  // namespace pastry::replica
