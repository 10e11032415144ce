#include "pastry/replica/custodian.h"

#include <algorithm>
#include <utility>

#include "pastry/replica/placement.h"

namespace pastry::replica {

namespace {

constexpr int kPutAttempts = 4;

Answer answer_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::not_found:
      return Answer::missing;
    case ErrorCode::corrupt:
      return Answer::corrupt;
    case ErrorCode::full:
      return Answer::full;
    case ErrorCode::conflict:
      return Answer::conflict;
    default:
      return Answer::failed;
  }
}

// The entry of a read, or how to answer without one.
Answer entry_of(const Result<StoreOutcome>& result, EntryInfo& entry) {
  if (!result) return answer_of(result.error());
  const auto* got = std::get_if<StoreGetDone>(&*result);
  if (!got) return Answer::failed;
  auto info = entry_info(got->entry);
  if (!info) return Answer::failed;
  entry = std::move(*info);
  return entry.meta.tombstone ? Answer::removed : Answer::ok;
}

}  // namespace

struct Custodian::Write {
  EntryInfo entry;
  Payload value;
  WriteMode mode = WriteMode::strict;
  Written written;
  PutCondition condition = PutCondition::if_newer;
  std::uint64_t expected_version = 0;
  int attempts = 0;
};

Custodian::Custodian(const Options& options, Calls& calls, Damaged damaged)
    : options_(&options), calls_(&calls), damaged_(std::move(damaged)) {}

bool Custodian::near(Context context, const Key& key) {
  return placement(context, key, context.config().replicas_max()).member;
}

void Custodian::answer(Context context, Handle source, const Locate& request, Located located,
                       bool doubtful) {
  const Key key = request.name.key();
  const Placement place = placement(context, key, request.replicas);
  const bool open = located.status == Answer::failed || located.status == Answer::busy;
  located.operation = request.operation;
  located.sure = located.sure && place.sure && !open;
  if (doubtful) {
    located.status = Answer::busy;
    located.entry = {};
  }
  const auto frame = encode(located);
  // Lost answers are asked for again.
  if (!frame) return;
  (void)context.introduce(
      source, doubtful ? who_may_know(context, key, request.replicas) : place.set, *frame);
}

void Custodian::store(Context context, const Incoming& message, StoreMessage request,
                      Payload body) {
  const auto refuse = [&](Answer answer) { Calls::answer(context, message, Stored{answer, 0}); };
  if (body.size() != request.entry.size) return refuse(Answer::invalid);
  if (!near(context, request.entry.name.key())) return refuse(Answer::refused);
  const std::size_t bytes = body.size();
  if (writing_bytes_ + bytes > options_->storing_bytes_max) return refuse(Answer::busy);
  writing_bytes_ += bytes;
  const Incoming to{message.from, message.request, {}, {}};
  write(context, std::move(request.entry), std::move(body),
        request.strict ? WriteMode::strict : WriteMode::repair,
        [this, to, bytes](Context c, Stored stored) {
          writing_bytes_ -= bytes;
          Calls::answer(c, to, stored);
        });
}

void Custodian::get(Context context, const Incoming& message, const Get& request) {
  if (serving_ >= options_->serving_max) {
    return Calls::answer(context, message, Got{Answer::busy, {}});
  }
  ++serving_;
  const Incoming to{message.from, message.request, {}, {}};
  StoreGet read{request.name};
  read.check = request.check;
  calls_->store(context, read,
                [this, to, name = request.name](Context c, const Result<StoreOutcome>& result) {
                  --serving_;
                  Got got;
                  got.status = entry_of(result, got.entry);
                  ByteView value;
                  if (got.status == Answer::ok)
                    value = std::get<StoreGetDone>(*result).value.view();
                  Calls::answer(c, to, got, value);
                  got.entry.name = name;
                  if (got.status == Answer::corrupt) damaged_(c, got.entry);
                });
}

void Custodian::look_up(Context context, const StoreName& name, Found found) {
  StoreGet get;
  get.name = name;
  get.with_value = false;
  calls_->store(context, get,
                [found = std::move(found)](Context c, const Result<StoreOutcome>& result) {
                  EntryInfo entry;
                  const Answer answer = entry_of(result, entry);
                  found(c, answer, entry);
                });
}

void Custodian::write(Context context, EntryInfo entry, Payload value, WriteMode mode,
                      Written written) {
  if (dropping_.count(entry.name) != 0) return written(context, {Answer::busy, 0});
  ++writing_[entry.name];
  auto write = std::make_shared<Write>();
  write->entry = std::move(entry);
  write->value = std::move(value);
  write->mode = mode;
  write->written = std::move(written);
  put(context, std::move(write));
}

void Custodian::put(Context context, std::shared_ptr<Write> write) {
  auto meta = encode_meta(write->entry.meta);
  if (!meta || ++write->attempts > kPutAttempts) {
    return finish(context, *write, meta ? Answer::busy : Answer::invalid, 0);
  }
  StorePut put{write->entry.name, write->entry.version,    std::move(*meta),   write->value,
               write->condition,  write->expected_version, write->entry.digest};
  calls_->store(context, std::move(put),
                [this, write](Context c, const Result<StoreOutcome>& result) {
                  if (result) return finish(c, *write, Answer::ok, write->entry.version);
                  if (result.error().code == ErrorCode::conflict) return settle(c, write);
                  finish(c, *write, answer_of(result.error()), 0);
                });
}

void Custodian::settle(Context context, std::shared_ptr<Write> write) {
  look_up(context, write->entry.name,
          [this, write](Context c, Answer answer, const EntryInfo& present) {
            if (answer == Answer::ok || answer == Answer::removed) return decide(c, write, present);
            if (answer != Answer::missing) return finish(c, *write, answer, 0);
            write->condition = PutCondition::if_newer;
            put(c, write);
          });
}

void Custodian::decide(Context context, std::shared_ptr<Write> write, const EntryInfo& present) {
  const EntryInfo& entry = write->entry;
  const bool same = same_write(entry, present);
  if (same && write->mode != WriteMode::replace) {
    return finish(context, *write, Answer::ok, present.version);
  }
  if (!same && write->mode == WriteMode::strict) {
    const bool removed = present.meta.tombstone && entry.meta.kind == EntryKind::blob;
    return finish(context, *write, removed ? Answer::removed : Answer::conflict, present.version);
  }
  if (!same && !supersedes(entry, present)) {
    return finish(context, *write, Answer::ok, present.version);
  }
  write->condition = PutCondition::if_version;
  write->expected_version = present.version;
  put(context, std::move(write));
}

void Custodian::finish(Context context, Write& write, Answer answer, std::uint64_t version) {
  const auto counted = writing_.find(write.entry.name);
  if (--counted->second == 0) writing_.erase(counted);
  write.written(context, {answer, version});
}

void Custodian::drop(Context context, const StoreName& name, std::uint64_t version,
                     std::function<void(Context, bool)> dropped) {
  if (writing(name) || !dropping_.insert(name).second) return dropped(context, false);
  look_up(context, name,
          [this, name, version, dropped = std::move(dropped)](Context c, Answer,
                                                              const EntryInfo& present) {
            if (present.version != version) {
              dropping_.erase(name);
              return dropped(c, false);
            }
            calls_->store(c, StoreErase{name},
                          [this, name, dropped](Context c2, const Result<StoreOutcome>& result) {
                            dropping_.erase(name);
                            dropped(c2, result.has_value());
                          });
          });
}

}  // namespace pastry::replica
