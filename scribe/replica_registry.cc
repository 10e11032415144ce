#include "scribe/replica_registry.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "scribe/control.h"

namespace scribe {
namespace {

using pastry::Context;
using pastry::ErrorCode;

// Attempts when others update the record at the same time.
constexpr int kAttempts = 5;
constexpr pastry::Duration kDeadline = std::chrono::seconds(10);

pastry::StoreName record_name(const pastry::Key& group) {
  pastry::StoreName name;
  for (std::size_t i = 0; i < 8; ++i) {
    name.bytes[i] = static_cast<std::uint8_t>(group.high() >> (56 - 8 * i));
    name.bytes[8 + i] = static_cast<std::uint8_t>(group.low() >> (56 - 8 * i));
  }
  constexpr std::string_view kTag = "scribe root v1";
  std::memcpy(name.bytes.data() + 16, kTag.data(), kTag.size());
  return name;
}

}  // namespace

struct ReplicaRegistry::Claim {
  pastry::StoreName name;
  std::string topic;
  Position known;
  ClaimCallback done;
  RootRecord record;
  int attempts = kAttempts;
};

void ReplicaRegistry::claim(Context context, const pastry::Key& group, std::string_view topic,
                            const Position& known, ClaimCallback done) {
  auto claim = std::make_shared<Claim>();
  claim->name = record_name(group);
  claim->topic = topic;
  claim->known = known;
  claim->done = std::move(done);
  read(context, std::move(claim));
}

void ReplicaRegistry::read(Context context, std::shared_ptr<Claim> claim) {
  --claim->attempts;
  replica_->read_record(
      context, claim->name,
      [this, claim](Context later, pastry::Result<pastry::replica::Record> found) {
        claim->record = RootRecord{claim->topic, later.self_id(), {}, !found};
        std::uint64_t version = 0;
        if (found) {
          version = found->version;
          // A record that cannot be read (another version wrote it) is replaced, above what is
          // known.
          if (auto record = decode_root_record(found->value.view())) {
            claim->record = std::move(*record);
          }
        } else if (found.error().code != ErrorCode::not_found) {
          claim->done(later, tl::unexpected(found.error()));
          return;
        }
        write(later, claim, version);
      },
      kDeadline);
}

void ReplicaRegistry::write(Context context, std::shared_ptr<Claim> claim, std::uint64_t version) {
  RootRecord& record = claim->record;
  if (record.topic.empty()) record.topic = claim->topic;
  // Where no copy of the record is found though there was one (more newcomers, or more dead, than
  // copies), and on both sides of a partition, the epoch still differs from those of others.
  record.position.epoch = next_epoch(std::max(record.position.epoch, claim->known.epoch),
                                     context.wall_time(), context.random());
  record.position.offset = std::max(record.position.offset, claim->known.offset);
  pastry::replica::Copies copies;
  copies.k = std::clamp(copies_, 1, context.config().replicas_max());
  copies.at_least = 1;
  copies.deadline = kDeadline;
  replica_->update_record(
      context, claim->name, version, encode_root_record(record), copies,
      [this, claim](Context later, pastry::Result<pastry::replica::RecordResult> written) {
        if (written) {
          claim->done(later, claim->record);
        } else if (written.error().code == ErrorCode::conflict && claim->attempts > 0) {
          read(later, claim);
        } else {
          claim->done(later, tl::unexpected(written.error()));
        }
      });
}

}  // namespace scribe
