#include "pastry/replica/comparison.h"

#include <utility>

#include "pastry/replica/placement.h"

namespace pastry::replica {

namespace {

// Questions answered at a time; a peer asks one at a time, so honest ones never meet the bound.
constexpr std::size_t kAnsweringMax = 256;

}  // namespace

struct Comparison::Sum {
  Incoming to;
  Summary wanted;
  bool doubtful = false;
  std::uint32_t count = 0;
  std::uint64_t sum = 0;
};

void Comparison::summary(Context context, const Incoming& message, const Summary& request,
                         bool doubtful) {
  if (answering_ >= kAnsweringMax || request.to < request.from) return;
  ++answering_;
  add_page(context, std::make_shared<Sum>(
                        Sum{{message.from, message.request, {}, {}}, request, doubtful, 0, 0}));
}

void Comparison::add_page(Context context, std::shared_ptr<Sum> sum) {
  const StoreScan scan{sum->wanted.from, sum->wanted.to, options_->page_entries};
  calls_->store(context, scan, [this, sum](Context c, const Result<StoreOutcome>& result) {
    const auto* page = result ? std::get_if<StoreScanDone>(&*result) : nullptr;
    if (page == nullptr) {
      --answering_;
      return;  // the asker's timeout covers it
    }
    for (const StoreEntry& stored : page->entries) {
      const auto entry = entry_info(stored);
      if (!entry) continue;
      const auto place = placement(c, entry->name.key(), entry->meta.replicas);
      if (!compared_with(c, place, sum->to.from)) continue;
      // What may have been removed meanwhile vouches for nobody's copies.
      sum->doubtful = sum->doubtful || strays_->doubt(c.now(), entry->name).about(*entry);
      ++sum->count;
      sum->sum += fingerprint(*entry);
    }
    const auto next = page->entries.empty() ? std::nullopt : successor(page->entries.back().name);
    if (page->more && next && sum->count <= sum->wanted.count) {
      sum->wanted.from = *next;
      return add_page(c, sum);
    }
    --answering_;
    const bool same = sum->count == sum->wanted.count && sum->sum == sum->wanted.sum;
    Calls::answer(c, sum->to, Summarised{same, sum->doubtful});
  });
}

struct Comparison::Judgement {
  Incoming to;
  Offer offer;
  OfferAnswer answer;
  std::size_t waiting = 0;
};

void Comparison::offer(Context context, const Incoming& message, Offer request) {
  if (answering_ >= kAnsweringMax) return;
  ++answering_;
  auto judgement = std::make_shared<Judgement>();
  judgement->to = {message.from, message.request, {}, {}};
  judgement->offer = std::move(request);
  const auto& entries = judgement->offer.entries;
  judgement->answer.answers.assign(entries.size(), static_cast<std::uint8_t>(OfferStatus::refused));
  judgement->waiting = entries.size() + 1;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const bool ask = judgement->offer.ask;
    if (!ask && !placement(context, entries[i].name.key(), entries[i].replicas).member) {
      --judgement->waiting;
      continue;
    }
    custodian_->look_up(context, entries[i].name,
                        [this, judgement, i](Context c, Answer answer, const EntryInfo& present) {
                          judge(c, *judgement, i, answer, present);
                        });
  }
  judge(context, *judgement, entries.size(), Answer::ok, {});
}

// Index past the end: nothing more to look up was found at once.
void Comparison::judge(Context context, Judgement& judgement, std::size_t index, Answer answer,
                       const EntryInfo& present) {
  if (index < judgement.offer.entries.size()) {
    const Offered& entry = judgement.offer.entries[index];
    const bool here = answer == Answer::ok || answer == Answer::removed;
    const bool same = here && fingerprint(present) == entry.fingerprint;
    const OfferStatus status = same                                 ? OfferStatus::holds
                               : here && supersedes(present, entry) ? OfferStatus::newer
                                                                    : OfferStatus::lacks;
    judgement.answer.answers[index] = static_cast<std::uint8_t>(status);
    const bool wanted = status == OfferStatus::lacks && !judgement.offer.ask;
    if (wanted && !custodian_->writing(entry.name)) {
      want(context, entry, judgement.to.from);
    }
  }
  if (--judgement.waiting > 0) return;
  --answering_;
  Calls::answer(context, judgement.to, judgement.answer);
}

// Who is no member may offer what was removed since it was one.
void Comparison::want(Context context, const Offered& entry, Handle source) {
  const bool wanted_before = puller_->wants(entry);
  // Without room it is offered again by the next comparison.
  const bool fetched = puller_->want(context, entry, source);
  if (contains(placement(context, entry.name.key(), entry.replicas).set, source)) {
    strays_->vouched(entry);
  } else if (fetched && !wanted_before) {
    strays_->note(context.now(), entry);
  }
}

}  // namespace pastry::replica
