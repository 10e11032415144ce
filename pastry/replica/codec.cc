#include <capnp/message.h>

#include <string>
#include <utility>

#include "pastry/replica/capnp_frame.h"
#include "pastry/replica/messages.h"
#include "pastry/replica/replica.capnp.h"
#include "pastry/replica/replica.h"

namespace pastry::replica {

namespace {

// Largest k that any leaf set allows (config.h: leaf_set <= 128).
constexpr std::uint8_t kReplicasMax = 65;

std::uint64_t word(const StoreName& name, std::size_t index) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = (value << 8) | name.bytes[index * 8 + i];
  return value;
}

void set_word(StoreName& name, std::size_t index, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i) {
    name.bytes[index * 8 + i] = static_cast<std::uint8_t>(value >> (56 - 8 * i));
  }
}

void write(schema::Name::Builder to, const StoreName& name) {
  to.setWord0(word(name, 0));
  to.setWord1(word(name, 1));
  to.setWord2(word(name, 2));
  to.setWord3(word(name, 3));
}

StoreName read(schema::Name::Reader from) {
  StoreName name;
  set_word(name, 0, from.getWord0());
  set_word(name, 1, from.getWord1());
  set_word(name, 2, from.getWord2());
  set_word(name, 3, from.getWord3());
  return name;
}

capnp::Data::Reader as_data(ByteView bytes) { return {bytes.data(), bytes.size()}; }
Bytes bytes(capnp::Data::Reader from) { return {from.begin(), from.end()}; }

void write(schema::Meta::Builder to, const EntryMeta& meta) {
  to.setKind(static_cast<std::uint8_t>(meta.kind));
  to.setTombstone(meta.tombstone);
  to.setReplicas(meta.replicas);
  if (meta.parent) write(to.initParent(), *meta.parent);
  to.setWriterHigh(meta.writer.high);
  to.setWriterLow(meta.writer.low);
  to.setCreated(meta.created);
}

// Without the user's part.
Result<EntryMeta> read(schema::Meta::Reader from) {
  EntryMeta meta;
  if (from.getKind() > 1 || from.getReplicas() < 1 || from.getReplicas() > kReplicasMax) {
    return fail(ErrorCode::invalid, "meta data out of range");
  }
  if (from.getCreated() < 0 || from.getCreated() > kCreatedMax) {
    return fail(ErrorCode::invalid, "created: not 0 to " + std::to_string(kCreatedMax));
  }
  meta.kind = static_cast<EntryKind>(from.getKind());
  meta.tombstone = from.getTombstone();
  meta.replicas = from.getReplicas();
  if (from.hasParent()) meta.parent = read(from.getParent());
  meta.writer = {from.getWriterHigh(), from.getWriterLow()};
  meta.created = from.getCreated();
  return meta;
}

void write(schema::Entry::Builder to, const EntryInfo& entry) {
  write(to.initName(), entry.name);
  to.setVersion(entry.version);
  to.setSize(entry.size);
  if (entry.digest) to.setDigest(as_data(*entry.digest));
  write(to.initMeta(), entry.meta);
  if (!entry.meta.user.empty()) to.setUser(as_data(entry.meta.user));
}

Result<EntryInfo> read(schema::Entry::Reader from) {
  auto meta = read(from.getMeta());
  if (!meta) return tl::unexpected(meta.error());
  EntryInfo entry;
  entry.name = read(from.getName());
  entry.version = from.getVersion();
  entry.size = from.getSize();
  const auto digest = from.getDigest();
  const auto user = from.getUser();
  const std::size_t digest_size = meta->tombstone ? 0 : entry.digest.emplace().size();
  if (entry.version < 1 || entry.version > kVersionMax || entry.size > kValueMax ||
      digest.size() != digest_size || user.size() > kUserMetaMax ||
      (meta->tombstone && entry.size != 0)) {
    return fail(ErrorCode::invalid, "entry out of range");
  }
  if (entry.digest) std::copy(digest.begin(), digest.end(), entry.digest->begin());
  entry.meta = std::move(*meta);
  entry.meta.user = bytes(user);
  return entry;
}

bool carries_entry(Answer status) { return status == Answer::ok || status == Answer::removed; }

Result<Answer> status(std::uint8_t value) {
  if (value > kAnswerMax) return fail(ErrorCode::invalid, "unknown status");
  return static_cast<Answer>(value);
}

// Reads a status and the entry that comes with some of them into `to`.
template <typename To, typename From>
Result<void> read_answer(To& to, From from) {
  auto code = status(from.getStatus());
  if (!code) return tl::unexpected(code.error());
  to.status = *code;
  if (!carries_entry(*code)) return {};
  auto entry = read(from.getEntry());
  if (!entry) return tl::unexpected(entry.error());
  to.entry = std::move(*entry);
  return {};
}

struct Writer {
  schema::Message::Builder to;

  void operator()(const Locate& m) {
    auto locate = to.initLocate();
    locate.setOperation(m.operation);
    write(locate.initName(), m.name);
    locate.setReplicas(m.replicas);
    locate.setWithEntry(m.with_entry);
  }
  void operator()(const Located& m) {
    auto located = to.initLocated();
    located.setOperation(m.operation);
    answer(located, m);
    located.setSure(m.sure);
  }
  void operator()(const StoreMessage& m) {
    auto store = to.initStore();
    write(store.initEntry(), m.entry);
    store.setStrict(m.strict);
  }
  void operator()(const Stored& m) {
    auto stored = to.initStored();
    stored.setStatus(static_cast<std::uint8_t>(m.status));
    stored.setVersion(m.version);
  }
  void operator()(const Get& m) {
    auto get = to.initGet();
    write(get.initName(), m.name);
    get.setCheck(m.check);
  }
  void operator()(const Got& m) { answer(to.initGot(), m); }
  void operator()(const Stat& m) {
    auto out = to.initStat();
    write(out.initName(), m.name);
    out.setFormer(m.former);
  }
  void operator()(const Statted& m) { answer(to.initStatted(), m); }
  void operator()(const Summary& m) {
    auto summary = to.initSummary();
    write(summary.initFrom(), m.from);
    write(summary.initTo(), m.to);
    summary.setCount(m.count);
    summary.setSum(m.sum);
  }
  void operator()(const Summarised& m) {
    auto summarised = to.initSummarised();
    summarised.setSame(m.same);
    summarised.setDoubtful(m.doubtful);
  }
  void operator()(const Offer& m) {
    auto offer = to.initOffer();
    offer.setAsk(m.ask);
    auto entries = offer.initEntries(static_cast<unsigned>(m.entries.size()));
    for (unsigned i = 0; i < entries.size(); ++i) {
      const Offered& entry = m.entries[i];
      write(entries[i].initName(), entry.name);
      entries[i].setVersion(entry.version);
      entries[i].setSize(entry.size);
      entries[i].setFingerprint(entry.fingerprint);
      entries[i].setReplicas(entry.replicas);
      entries[i].setTombstone(entry.tombstone);
    }
  }
  void operator()(const OfferAnswer& m) { to.initOfferAnswer().setAnswers(as_data(m.answers)); }
  void operator()(const RecordMessage& m) {
    auto record = to.initRecord();
    record.setOperation(m.operation);
    write(record.initName(), m.name);
    record.setUpdate(m.update);
    record.setExpectedVersion(m.expected_version);
    record.setReplicas(m.replicas);
    record.setAtLeast(m.at_least);
    record.setWriterHigh(m.writer.high);
    record.setWriterLow(m.writer.low);
  }
  void operator()(const Recorded& m) {
    auto recorded = to.initRecorded();
    recorded.setOperation(m.operation);
    recorded.setStatus(static_cast<std::uint8_t>(m.status));
    recorded.setVersion(m.version);
    recorded.setCopies(m.copies);
    recorded.setWanted(m.wanted);
  }

  template <typename Builder, typename Reply>
  void answer(Builder builder, const Reply& m) {
    builder.setStatus(static_cast<std::uint8_t>(m.status));
    if (carries_entry(m.status)) write(builder.initEntry(), m.entry);
  }
};

template <typename Reply, typename From>
Result<ReplicaMessage> answered(Reply answer, From from) {
  if (auto good = read_answer(answer, from); !good) return tl::unexpected(good.error());
  return ReplicaMessage(std::move(answer));
}

Result<ReplicaMessage> located(schema::Located::Reader from) {
  Located located;
  located.operation = from.getOperation();
  located.sure = from.getSure();
  return answered(std::move(located), from);
}

Result<ReplicaMessage> locate(schema::Locate::Reader from) {
  const std::uint8_t replicas = from.getReplicas();
  if (replicas < 1 || replicas > kReplicasMax) return fail(ErrorCode::invalid, "k out of range");
  return Locate{from.getOperation(), read(from.getName()), replicas, from.getWithEntry()};
}

Result<ReplicaMessage> store(schema::Store::Reader from) {
  auto entry = read(from.getEntry());
  if (!entry) return tl::unexpected(entry.error());
  return StoreMessage{std::move(*entry), from.getStrict()};
}

Result<ReplicaMessage> stored(schema::Stored::Reader from) {
  auto code = status(from.getStatus());
  if (!code) return tl::unexpected(code.error());
  return Stored{*code, from.getVersion()};
}

Result<ReplicaMessage> summary(schema::Summary::Reader from) {
  return Summary{read(from.getFrom()), read(from.getTo()), from.getCount(), from.getSum()};
}

Result<ReplicaMessage> offer(schema::Offer::Reader from) {
  const auto list = from.getEntries();
  if (list.size() > kOfferMax) return fail(ErrorCode::invalid, "offer too long");
  Offer offer;
  offer.ask = from.getAsk();
  offer.entries.reserve(list.size());
  for (const auto line : list) {
    Offered entry{read(line.getName()),  line.getVersion(),  line.getSize(),
                  line.getFingerprint(), line.getReplicas(), line.getTombstone()};
    if (entry.version < 1 || entry.version > kVersionMax || entry.size > kValueMax ||
        entry.replicas < 1 || entry.replicas > kReplicasMax ||
        (!offer.entries.empty() && entry.name <= offer.entries.back().name)) {
      return fail(ErrorCode::invalid, "offer out of range");
    }
    offer.entries.push_back(entry);
  }
  return ReplicaMessage(std::move(offer));
}

Result<ReplicaMessage> offer_answer(schema::OfferAnswer::Reader from) {
  if (from.getAnswers().size() > kOfferMax) return fail(ErrorCode::invalid, "answer too long");
  return OfferAnswer{bytes(from.getAnswers())};
}

Result<ReplicaMessage> record(schema::Record::Reader from) {
  if (from.getReplicas() < 1 || from.getReplicas() > kReplicasMax ||
      from.getAtLeast() > from.getReplicas() || from.getExpectedVersion() > kVersionMax) {
    return fail(ErrorCode::invalid, "record request out of range");
  }
  return RecordMessage{from.getOperation(),
                       read(from.getName()),
                       from.getUpdate(),
                       from.getExpectedVersion(),
                       from.getReplicas(),
                       from.getAtLeast(),
                       {from.getWriterHigh(), from.getWriterLow()}};
}

Result<ReplicaMessage> recorded(schema::Recorded::Reader from) {
  auto code = status(from.getStatus());
  if (!code) return tl::unexpected(code.error());
  return Recorded{from.getOperation(), *code, from.getVersion(), from.getCopies(),
                  from.getWanted()};
}

Result<ReplicaMessage> message(schema::Message::Reader from) {
  switch (from.which()) {
    case schema::Message::LOCATE:
      return locate(from.getLocate());
    case schema::Message::LOCATED:
      return located(from.getLocated());
    case schema::Message::STORE:
      return store(from.getStore());
    case schema::Message::STORED:
      return stored(from.getStored());
    case schema::Message::GET:
      return Get{read(from.getGet().getName()), from.getGet().getCheck()};
    case schema::Message::GOT:
      return answered(Got{}, from.getGot());
    case schema::Message::STAT:
      return Stat{read(from.getStat().getName()), from.getStat().getFormer()};
    case schema::Message::STATTED:
      return answered(Statted{}, from.getStatted());
    case schema::Message::SUMMARY:
      return summary(from.getSummary());
    case schema::Message::SUMMARISED:
      return Summarised{from.getSummarised().getSame(), from.getSummarised().getDoubtful()};
    case schema::Message::OFFER:
      return offer(from.getOffer());
    case schema::Message::OFFER_ANSWER:
      return offer_answer(from.getOfferAnswer());
    case schema::Message::RECORD:
      return record(from.getRecord());
    case schema::Message::RECORDED:
      return recorded(from.getRecorded());
  }
  return fail(ErrorCode::incompatible, "unknown message of the replica layer");
}

}  // namespace

Result<Payload> encode(const ReplicaMessage& message, ByteView body) {
  // The first segment must hold everything: a frame has only one.
  const auto* offer = std::get_if<Offer>(&message);
  const std::size_t words = 512 + (offer ? offer->entries.size() * 12 : 0);
  capnp::MallocMessageBuilder builder(static_cast<unsigned>(words));
  std::visit(Writer{builder.initRoot<schema::Message>()}, message);
  auto frame = frame_bytes(builder, body);
  if (!frame) return tl::unexpected(frame.error());
  return Payload(std::move(*frame));
}

Result<Frame> decode(const Payload& frame) {
  auto parts = split_frame(frame);
  if (!parts) return tl::unexpected(parts.error());
  if (parts->body.size() > kValueMax) return fail(ErrorCode::invalid, "value too large");
  auto result = read_header<schema::Message>(
      *parts, [](schema::Message::Reader reader) { return message(reader); });
  if (!result) return tl::unexpected(result.error());
  return Frame{std::move(*result), std::move(parts->body)};
}

Result<Bytes> encode_meta(const EntryMeta& meta) {
  capnp::MallocMessageBuilder builder(64);
  write(builder.initRoot<schema::Meta>(), meta);
  auto frame = frame_bytes(builder, meta.user);
  if (frame && frame->size() > kStoreMetaMax) {
    return fail(ErrorCode::too_large, "meta data too large");
  }
  return frame;
}

Result<EntryMeta> decode_meta(ByteView from) {
  auto parts = split_frame(Payload::copy_of(from));
  if (!parts) return tl::unexpected(parts.error());
  auto meta =
      read_header<schema::Meta>(*parts, [](schema::Meta::Reader reader) { return read(reader); });
  if (meta) meta->user.assign(parts->body.view().begin(), parts->body.view().end());
  return meta;
}

}  // namespace pastry::replica
