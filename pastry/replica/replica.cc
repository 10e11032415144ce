#include "pastry/replica/replica.h"

#include <utility>

#include "pastry/replica/comparison.h"
#include "pastry/replica/custodian.h"
#include "pastry/replica/fetch_operation.h"
#include "pastry/replica/former_roots.h"
#include "pastry/replica/leases.h"
#include "pastry/replica/maintenance.h"
#include "pastry/replica/placement.h"
#include "pastry/replica/puller.h"
#include "pastry/replica/record_keeper.h"
#include "pastry/replica/record_operation.h"
#include "pastry/replica/survey_operation.h"
#include "pastry/replica/write_operation.h"

namespace pastry::replica {

std::string_view name(HolderState state) {
  switch (state) {
    case HolderState::holds:
      return "holds";
    case HolderState::missing:
      return "missing";
    case HolderState::removed:
      return "removed";
    case HolderState::corrupt:
      return "corrupt";
    case HolderState::unreachable:
      break;
  }
  return "unreachable";
}

struct Replica::Parts {
  Parts(const Hash& hash, const Options& options, const std::unique_ptr<Elders>& elders)
      : custodian(options, calls,
                  [this](Context c, const EntryInfo& entry) { puller.heal(c, entry.name); }),
        operations(hash, options, calls),
        leases(operations),
        puller(
            options, calls, custodian,
            [this](const EntryInfo& entry) {
              return !entry.meta.parent || !leases.expired(*entry.meta.parent);
            },
            [this](Context c) { maintenance.membership_changed(c); }),
        strays(calls, custodian, puller),
        comparison(options, calls, custodian, puller, strays),
        maintenance(options, operations, custodian, puller, leases, strays),
        former_roots(options, calls, custodian, strays, elders,
                     [this](Context c) { maintenance.ensure(c); }),
        records(hash, options, calls, custodian, former_roots) {}

  Calls calls;
  Custodian custodian;
  Operations operations;
  Leases leases;
  Puller puller;
  Strays strays;
  Comparison comparison;
  Maintenance maintenance;
  FormerRoots former_roots;
  RecordKeeper records;
};

struct Replica::Made {
  std::unique_ptr<Elders> elders;  // for some time after it became active
  std::unique_ptr<Parts> parts;    // when the node first holds or does something
};

namespace {

// How long after it became active a node asks for what it does not have. By then maintenance has
// brought it what there is of its keys.
constexpr Duration kNewFor = seconds(60);
constexpr std::uint64_t kNoLongerNew = 0;  // a cookie that Calls never uses

Result<void> check(Context context, const Copies& copies) {
  const int most = context.config().replicas_max();
  if (copies.k < 1 || copies.k > most) {
    return fail(ErrorCode::invalid, "k = " + std::to_string(copies.k) +
                                        " is out of range: 1 … l/2 + 1 = " + std::to_string(most));
  }
  if (copies.at_least < 0 || copies.at_least > copies.k) {
    return fail(ErrorCode::invalid,
                "at least " + std::to_string(copies.at_least) +
                    " copies make no sense with k = " + std::to_string(copies.k));
  }
  return {};
}

Result<void> check_size(std::size_t size, std::size_t most, const char* what) {
  if (size <= most) return {};
  return fail(ErrorCode::too_large, std::string(what) + " of " + std::to_string(size) +
                                        " bytes exceeds " + std::to_string(most));
}

}  // namespace

Replica::Replica(const Hash& hash, const Options& options) : hash_(&hash), options_(&options) {}

Replica::~Replica() = default;

Replica::Parts& Replica::parts() {
  if (!made_) made_ = std::make_unique<Made>();
  if (!made_->parts) made_->parts = std::make_unique<Parts>(*hash_, *options_, made_->elders);
  return *made_->parts;
}

Replica::Parts* Replica::existing() const { return made_ ? made_->parts.get() : nullptr; }

// --- Operations ---

template <typename T>
bool Replica::refused(Context context, const Result<void>& good, const Callback<T>& done) {
  if (good) return false;
  soon(context, [done, error = good.error()](Context c) { done(c, tl::unexpected(error)); });
  return true;
}

void Replica::put_blob(Context context, const StoreName& name, Payload value, BlobOptions options,
                       Callback<PutResult> done) {
  const auto good =
      check(context, options.copies)
          .and_then([&] { return check_size(value.size(), kValueMax, "a blob"); })
          .and_then([&] { return check_size(options.meta.size(), kUserMetaMax, "meta data"); });
  if (refused(context, good, done)) return;
  EntryInfo entry;
  entry.name = name;
  entry.version = kBlobVersion;
  entry.size = value.size();
  entry.digest = options.digest;
  entry.meta.replicas = static_cast<std::uint8_t>(options.copies.k);
  entry.meta.parent = options.parent;
  entry.meta.created = context.wall_time().unix_seconds;
  entry.meta.user = std::move(options.meta);
  Parts& all = parts();
  all.operations.begin(
      context.as(kReplicaApplication),
      std::make_shared<WriteOperation>(all.operations, context.application(), std::move(entry),
                                       std::move(value), true, options.copies, std::move(done)));
}

void Replica::fetch(Context context, const StoreName& name, Callback<Blob> done, Duration deadline,
                    std::optional<Digest> expected) {
  Parts& all = parts();
  all.operations.begin(context.as(kReplicaApplication),
                       std::make_shared<FetchOperation>(all.operations, context.application(), name,
                                                        deadline, expected, std::move(done)));
}

void Replica::where(Context context, const StoreName& name, Callback<Whereabouts> done,
                    Duration deadline) {
  Parts& all = parts();
  all.operations.begin(context.as(kReplicaApplication),
                       std::make_shared<WhereOperation>(
                           all.operations, context.application(), name, deadline,
                           [done = std::move(done)](Context c, const Result<Whereabouts>& where,
                                                    bool) { done(c, where); }));
}

void Replica::remove(Context context, const StoreName& name, Callback<PutResult> done,
                     Duration deadline) {
  where(
      context, name,
      [this, name, done = std::move(done), deadline](Context c, const Result<Whereabouts>& found) {
        if (!found) return done(c, tl::unexpected(found.error()));
        EntryInfo entry;
        entry.name = name;
        entry.version = found->version + 1;
        entry.meta.tombstone = true;
        entry.meta.kind = found->kind;
        entry.meta.replicas = static_cast<std::uint8_t>(found->wanted);
        entry.meta.created = c.wall_time().unix_seconds;
        const Copies copies{found->wanted, 1, deadline};
        Parts& all = parts();
        all.operations.begin(
            c.as(kReplicaApplication),
            std::make_shared<WriteOperation>(all.operations, c.application(), std::move(entry),
                                             Payload(), false, copies, done));
      },
      deadline);
}

void Replica::update_record(Context context, const StoreName& name, std::uint64_t expected_version,
                            Bytes value, Copies copies, Callback<RecordResult> done) {
  auto good = check(context, copies).and_then([&] {
    return check_size(value.size(), kRecordMax, "a record");
  });
  if (good && expected_version > kVersionMax) good = fail(ErrorCode::invalid, "no such version");
  if (refused(context, good, done)) return;
  RecordMessage request;
  request.name = name;
  request.update = true;
  request.expected_version = expected_version;
  request.replicas = static_cast<std::uint8_t>(copies.k);
  request.at_least = static_cast<std::uint8_t>(copies.at_least);
  Parts& all = parts();
  const auto finish = [done = std::move(done)](Context c,
                                               const Result<RecordOperation::Outcome>& outcome) {
    if (!outcome) return done(c, tl::unexpected(outcome.error()));
    const Recorded& recorded = outcome->recorded;
    done(c, RecordResult{recorded.version, recorded.copies, recorded.wanted});
  };
  all.operations.begin(
      context.as(kReplicaApplication),
      std::make_shared<RecordOperation>(all.operations, context.application(), request,
                                        std::move(value), copies.deadline, finish));
}

void Replica::read_record(Context context, const StoreName& name, Callback<Record> done,
                          Duration deadline) {
  RecordMessage request;
  request.name = name;
  Parts& all = parts();
  const auto finish = [done = std::move(done)](Context c,
                                               const Result<RecordOperation::Outcome>& outcome) {
    if (!outcome) return done(c, tl::unexpected(outcome.error()));
    done(c, Record{outcome->recorded.version, outcome->value});
  };
  all.operations.begin(context.as(kReplicaApplication),
                       std::make_shared<RecordOperation>(all.operations, context.application(),
                                                         request, Bytes(), deadline, finish));
}

void Replica::soon(Context context, std::function<void(Context)> action) {
  parts().calls.after(context.as(kReplicaApplication), Duration::zero(),
                      [action = std::move(action), caller = context.application()](Context c) {
                        action(c.as(caller));
                      });
}

Status Replica::status() const {
  Status status;
  if (existing()) existing()->maintenance.report(status);
  return status;
}

// --- Upcalls ---

void Replica::deliver(Context context, const Delivery& message) {
  if (context.is_earlier_self(message.source)) return;
  const auto frame = decode(message.payload);
  if (!frame) return;
  if (const auto* locate = std::get_if<Locate>(&frame->message)) {
    if (locate->name.key() != message.key) return;
    this->locate(context, message, *locate);
  } else if (const auto* record = std::get_if<RecordMessage>(&frame->message)) {
    if (record->name.key() != message.key || message.kind != LookupKind::consistent) return;
    parts().records.request(context, message, *record, frame->body);
    parts().maintenance.ensure(context);
  }
}

// Only the root finds out what it lacks, and only it may say that there is nothing: who asks all
// holders asks it at the end. A copy may get into doubt while it is looked up (it was fetched from
// one that is no member), or out of it.
void Replica::locate(Context context, const Delivery& message, const Locate& request) {
  const bool root = message.kind == LookupKind::consistent;
  const auto answer = [this, root, request, source = message.source,
                       before = doubt(context.now(), request.name)](Context c, Answer status,
                                                                    const EntryInfo& entry) {
    const bool doubtful =
        status == Answer::ok && (before.about(entry) || doubt(c.now(), request.name).about(entry));
    Custodian::answer(c, source, request, {request.operation, status, entry, root}, doubtful);
  };
  if (!request.with_entry) return answer(context, Answer::missing, {});
  if (!root) return parts().custodian.look_up(context, request.name, answer);
  parts().former_roots.look_up(context, request.name, message.source, answer);
  parts().maintenance.ensure(context);
}

void Replica::receive(Context context, const Incoming& message) {
  auto frame = decode(message.payload);
  if (!frame) return;
  Parts& all = parts();
  if (message.request == 0) {
    if (const auto* located = std::get_if<Located>(&frame->message)) {
      all.operations.located(context, *located, message.peers);
    } else if (const auto* recorded = std::get_if<Recorded>(&frame->message)) {
      all.operations.recorded(context, *recorded, frame->body);
    }
    return;
  }
  if (auto* store = std::get_if<StoreMessage>(&frame->message)) {
    all.custodian.store(context, message, std::move(*store), std::move(frame->body));
    all.maintenance.ensure(context);
  } else if (const auto* get = std::get_if<Get>(&frame->message)) {
    all.custodian.get(context, message, *get);
  } else if (const auto* stat = std::get_if<Stat>(&frame->message)) {
    if (all.records.committing(stat->name)) {
      return Calls::answer(context, message, Statted{Answer::busy, {}});
    }
    all.former_roots.stat(context, message, *stat);
  } else if (const auto* summary = std::get_if<Summary>(&frame->message)) {
    all.comparison.summary(context, message, *summary, doubtful());
  } else if (auto* offer = std::get_if<Offer>(&frame->message)) {
    all.comparison.offer(context, message, std::move(*offer));
    all.maintenance.ensure(context);
  }
}

void Replica::update(Context context, Handle, PeerChange) {
  if (!existing()) return;
  existing()->records.membership_changed();
  existing()->maintenance.membership_changed(context);
}

// A node that only was suspended was root itself, and kept what it had.
void Replica::remember_elders(Context context) {
  const auto admitted_by = context.gap_ends();
  if (admitted_by.empty()) return;
  auto elders = std::make_unique<Elders>();
  elders->until = context.now() + kNewFor;
  const auto most = static_cast<std::size_t>(context.config().leaf_set);
  std::vector<Handle> peers = context.neighbor_set(most);
  std::erase_if(peers, [&](Handle peer) { return !context.is_active(peer); });
  for (const Handle peer : admitted_by) {
    if (!contains(peers, peer)) peers.push_back(peer);
  }
  for (const Handle peer : peers) elders->members.push_back({peer});
  if (!made_) made_ = std::make_unique<Made>();
  made_->elders = std::move(elders);
  context.set_timer(kNewFor, kNoLongerNew);
}

void Replica::activity(Context context, bool active) {
  if (!active) return;
  remember_elders(context);
  if (existing()) {
    existing()->records.membership_changed();
    return existing()->maintenance.returned(context);
  }
  // Whether the store holds anything from before; an empty one needs no care.
  StoreScan scan;
  scan.to.bytes.fill(0xff);
  scan.limit = 1;
  unread_ = true;
  context.store(scan);
}

bool Replica::doubtful() const {
  return unread_ || (existing() && existing()->maintenance.doubtful());
}

Doubt Replica::doubt(Time now, const StoreName& name) const {
  if (unread_) return {true, {}};
  return existing() ? existing()->maintenance.doubt(now, name) : Doubt{};
}

void Replica::stored(Context context, OperationId operation, const Result<StoreOutcome>& result) {
  if (existing() && existing()->calls.stored(context, operation, result)) return;
  // The question that activity() asked. If the store could not say, there may be something.
  const auto* scan = result ? std::get_if<StoreScanDone>(&*result) : nullptr;
  if (scan == nullptr || !scan->entries.empty()) parts().maintenance.returned(context);
  unread_ = false;
}

void Replica::replied(Context context, OperationId operation, const Result<Payload>& answer) {
  if (existing()) existing()->calls.replied(context, operation, answer);
}

void Replica::timer(Context context, std::uint64_t cookie) {
  if (cookie == kNoLongerNew) {
    if (!made_ || !made_->elders || context.now() < made_->elders->until) return;
    made_->elders.reset();
    if (!made_->parts) made_.reset();
    return;
  }
  if (existing()) existing()->calls.timer(context, cookie);
}

void Replica::mark_handles(Directory& directory) const {
  if (made_ && made_->elders) {
    for (const Elders::Elder& elder : made_->elders->members) directory.mark(elder.peer);
  }
  if (!existing()) return;
  existing()->former_roots.mark_handles(directory);
  existing()->calls.mark_handles(directory);
  existing()->operations.mark_handles(directory);
  existing()->puller.mark_handles(directory);
  existing()->records.mark_handles(directory);
}

}  // namespace pastry::replica
