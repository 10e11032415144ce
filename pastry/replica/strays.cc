#include "pastry/replica/strays.h"

#include <utility>

#include "pastry/replica/placement.h"

namespace pastry::replica {

namespace {

// Further ones are not remembered.
constexpr std::size_t kStraysMax = 65536;
// How long what does not arrive, or was not found here again, is remembered.
constexpr Duration kRemembered = minutes(10);

// More than can be remembered: all.
Doubt::Fingerprints both(const Doubt::Fingerprints& known, std::uint64_t other) {
  if (known[0] == 0 || other == 0) return {};
  if (other == known[0] || other == known[1]) return known;
  if (known[1] != 0) return {};
  return {known[0], other};
}

}  // namespace

struct Strays::Question {
  struct Line {
    Offered entry;
    bool open = false;  // somebody has it newer, or does not answer
  };
  std::uint64_t number = 0;
  std::vector<Line> lines;
  std::map<Handle, std::vector<std::size_t>> peers;  // lines to ask each about
  std::size_t waiting = 0;
};

void Strays::note(Time now, const StoreName& name, std::uint64_t fingerprint) {
  if (strays_.size() >= kStraysMax && strays_.count(name) == 0) return;
  Stray& stray = strays_[name];
  const Doubt::Fingerprints fingerprints =
      stray.until > now ? both(stray.fingerprints, fingerprint) : Doubt::Fingerprints{fingerprint};
  // A doubt that lasts is not prolonged: whoever comes and goes would keep the copy from ever being
  // compared.
  if (!stray.asked || stray.until <= now) stray = {now + kRemembered, false, 0, {}};
  // What is being answered tells nothing about what happens from now on.
  stray.asking = 0;
  stray.fingerprints = fingerprints;
}

void Strays::vouched(const Offered& entry) {
  const auto found = strays_.find(entry.name);
  if (found == strays_.end() || found->second.fingerprints[0] == 0) return;
  Doubt::Fingerprints& left = found->second.fingerprints;
  if (left[1] == entry.fingerprint) left[1] = 0;
  if (left[0] == entry.fingerprint) left[0] = std::exchange(left[1], 0);
  if (left[0] == 0) strays_.erase(found);
}

Doubt Strays::doubt(Time now, const StoreName& name) const {
  const auto found = strays_.find(name);
  if (found == strays_.end() || found->second.until <= now) return {};
  return {true, found->second.fingerprints};
}

void Strays::forget_old(Time now) {
  std::erase_if(strays_, [now](const auto& stray) { return stray.second.until <= now; });
}

void Strays::ask(Context context, const std::vector<EntryInfo>& entries) {
  auto question = std::make_shared<Question>();
  question->number = ++last_question_;
  for (const EntryInfo& entry : entries) add(context, *question, entry);
  question->waiting = question->peers.size();
  if (question->waiting == 0) return settle(*question);
  for (const auto& [peer, lines] : question->peers) {
    Offer offer;
    offer.ask = true;
    for (const std::size_t i : lines) offer.entries.push_back(question->lines[i].entry);
    calls_->request(context, peer, offer, kPeerTimeout,
                    [this, question, peer = peer](Context c, const Result<Frame>& frame) {
                      answered(c, *question, peer,
                               frame ? std::get_if<OfferAnswer>(&frame->message) : nullptr);
                    });
  }
}

void Strays::add(Context context, Question& question, const EntryInfo& entry) {
  const auto found = strays_.find(entry.name);
  if (found == strays_.end() || found->second.asking != 0) return;
  Stray& stray = found->second;
  stray.asking = question.number;
  if (!std::exchange(stray.asked, true)) stray.until = context.now() + kDoubtMax;
  const int reach = entry.meta.replicas + kFormerMembers;
  for (const Handle peer : who_may_know(context, entry.name.key(), reach)) {
    if (peer != context.self()) question.peers[peer].push_back(question.lines.size());
  }
  question.lines.push_back({offered(entry), false});
}

void Strays::answered(Context context, Question& question, Handle peer, const OfferAnswer* answer) {
  const std::vector<std::size_t>& asked = question.peers.at(peer);
  const bool good = answer != nullptr && answer->answers.size() == asked.size();
  for (std::size_t i = 0; i < asked.size(); ++i) {
    Question::Line& line = question.lines[asked[i]];
    const bool newer = good && answer->answers[i] == static_cast<std::uint8_t>(OfferStatus::newer);
    line.open = line.open || newer || !good;
    if (newer && !custodian_->writing(line.entry.name)) {
      (void)puller_->want(context, line.entry, peer);
    }
  }
  if (--question.waiting == 0) settle(question);
}

void Strays::settle(const Question& question) {
  for (const Question::Line& line : question.lines) {
    const auto found = strays_.find(line.entry.name);
    if (found == strays_.end() || found->second.asking != question.number) continue;
    found->second.asking = 0;
    if (!line.open) strays_.erase(found);
  }
}

}  // namespace pastry::replica
