#include "pastry/zmq/frame.h"

#define DOCTEST_CONFIG_SUPER_FAST_ASSERTS
#include <doctest/doctest.h>

#include "pastry/core/random.h"
#include "pastry/zmq/send_queue.h"

using namespace pastry;
using namespace pastry::host;

namespace {

Bytes bytes_of(std::string_view text) { return Bytes(text.begin(), text.end()); }

struct Read {
  Bytes header;
  Bytes payload;
  bool detached = false;
};

Bytes copy_of(ByteView view) { return Bytes(view.begin(), view.end()); }

std::vector<Read> read_all(ByteView frame, bool& well_formed) {
  RecordReader reader(frame);
  std::vector<Read> records;
  RecordReader::Record record;
  while (reader.next(record))
    records.push_back({copy_of(record.header), copy_of(record.payload), record.detached});
  well_formed = reader.well_formed();
  return records;
}

// A header of so many words, all of them `fill` but for the given one.
Bytes header_of(std::size_t words, std::uint8_t fill, std::size_t other, std::uint8_t value) {
  Bytes header(8 * words, fill);
  header[8 * other] = value;
  return header;
}

}  // namespace

TEST_CASE("records are written and read back") {
  Bytes frame(kTokenSize);
  RecordWriter writer;
  writer.append(frame, bytes_of("header"), bytes_of("payload"), false);
  writer.append(frame, bytes_of("h"), {}, false);
  writer.append(frame, bytes_of("last"), bytes_of("elsewhere"), true);
  bool fine = false;
  const auto records = read_all(frame, fine);
  CHECK(fine);
  REQUIRE(records.size() == 3);
  CHECK(records[0].header == bytes_of("header"));
  CHECK(records[0].payload == bytes_of("payload"));
  CHECK(records[1].payload.empty());
  CHECK(records[2].detached);
}

TEST_CASE("a header like the one before travels as what changed in it") {
  Random random(11);
  for (int round = 0; round < 200; ++round) {
    Bytes frame(kTokenSize);
    RecordWriter writer;
    std::vector<Bytes> headers;
    std::size_t full = 0;
    for (int i = 0; i < 20; ++i) {
      // Sizes repeat, some are no whole words, some too large; any number of words changes.
      const std::size_t size =
          random.below(4) == 0 ? 1 + random.below(600) : 8 * (1 + random.below(3));
      const bool alike = !headers.empty() && random.below(3) > 0;
      Bytes header = alike ? headers.back() : Bytes(size, 7);
      for (std::uint64_t j = random.below(4); j > 0; --j)
        header[random.below(header.size())] = static_cast<std::uint8_t>(random.below(256));
      writer.append(frame, header, bytes_of("payload"), false);
      full += kRecordPrefix + header.size() + 7;
      headers.push_back(std::move(header));
    }
    bool fine = false;
    const auto records = read_all(frame, fine);
    CHECK(fine);
    CHECK(frame.size() <= kTokenSize + full);
    REQUIRE(records.size() == headers.size());
    for (std::size_t i = 0; i < headers.size(); ++i) {
      CHECK(records[i].header == headers[i]);
      CHECK(records[i].payload == bytes_of("payload"));
    }
  }
  Bytes frame(kTokenSize);
  RecordWriter writer;
  writer.append(frame, header_of(64, 1, 0, 2), {}, false);
  const std::size_t first = frame.size();
  writer.append(frame, header_of(64, 1, 63, 3), {}, false);
  CHECK(frame.size() - first == kRecordPrefix + 8 + 2 * 8);
  writer.start();
  Bytes next(kTokenSize);
  writer.append(next, header_of(64, 1, 63, 3), {}, false);
  CHECK(next.size() == kTokenSize + kRecordPrefix + 512);
}

TEST_CASE("changes to a header that is not there, of another size or outside it are refused") {
  const auto record = [](std::uint32_t size, std::uint64_t changed, std::size_t words) {
    Bytes bytes(kRecordPrefix + 8 + 8 * words);
    store_u32(bytes.data(), size | kSameBut);
    store_u64(bytes.data() + kRecordPrefix, changed);
    return bytes;
  };
  const auto refused = [&](const Bytes& before, const Bytes& changes) {
    Bytes frame(kTokenSize);
    RecordWriter writer;
    if (!before.empty()) writer.append(frame, before, {}, false);
    frame.insert(frame.end(), changes.begin(), changes.end());
    bool fine = true;
    const auto records = read_all(frame, fine);
    return !fine && records.size() == (before.empty() ? 0 : 1);
  };
  const Bytes three(24, 1);
  CHECK_FALSE(refused(three, record(24, 0b101, 2)));
  CHECK_FALSE(refused(three, record(24, 0, 0)));
  CHECK(refused({}, record(24, 0b101, 2)));
  CHECK(refused(three, record(16, 0b1, 1)));
  CHECK(refused(three, record(0, 0, 0)));
  CHECK(refused(three, record(24, 0b1000, 1)));
  CHECK(refused(three, record(24, 0b111, 2)));
  CHECK(refused(three, record(24, ~std::uint64_t{0}, 64)));
  CHECK(refused(Bytes(23, 1), record(23, 0b1, 1)));
  CHECK(refused(Bytes(520, 1), record(520, 0b1, 1)));
}

TEST_CASE("a frame holds a bounded number of records") {
  Bytes frame(kTokenSize);
  RecordWriter writer;
  for (std::size_t i = 0; i <= kRecordsMax; ++i) writer.append(frame, Bytes(32, 1), {}, false);
  bool fine = true;
  CHECK(read_all(frame, fine).size() == kRecordsMax);
  CHECK_FALSE(fine);

  SendQueue queue(1 << 24);
  for (std::size_t i = 0; i <= kRecordsMax; ++i)
    REQUIRE(queue.add(Priority::application, Bytes(1, 1), {}));
  CHECK(queue.front(Priority::application)->messages == kRecordsMax);
}

TEST_CASE("every truncation of a frame and every flipped bit is survived") {
  Bytes frame(kTokenSize);
  RecordWriter writer;
  writer.append(frame, header_of(3, 1, 0, 2), bytes_of("payload"), false);
  writer.append(frame, header_of(3, 1, 1, 3), bytes_of("bytes"), false);
  bool fine = false;
  for (std::size_t size = 0; size < frame.size(); ++size) {
    const auto records = read_all(ByteView(frame).first(size), fine);
    CHECK(records.size() <= 1);
  }
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    Bytes broken = frame;
    broken[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    for (const auto& record : read_all(broken, fine)) {
      CHECK(record.header.size() <= broken.size());
      CHECK(record.payload.size() <= broken.size());
    }
  }
}

TEST_CASE("random frames are survived") {
  Random random(7);
  bool fine = false;
  for (int i = 0; i < 20000; ++i) {
    Bytes frame(random.below(64));
    for (auto& byte : frame) byte = static_cast<std::uint8_t>(random.below(4));
    read_all(frame, fine);
  }
}

TEST_CASE("small messages share a frame, large payloads travel detached") {
  SendQueue queue(1 << 20);
  for (int i = 0; i < 10; ++i)
    CHECK(queue.add(Priority::application, bytes_of("head"), Payload::copy_of("small")));
  CHECK(queue.add(Priority::application, bytes_of("head"), Payload(Bytes(kInlinePayloadMax + 1))));
  CHECK(queue.add(Priority::application, bytes_of("head"), Payload::copy_of("after")));
  const Batch* first = queue.front(Priority::application);
  REQUIRE(first != nullptr);
  CHECK(first->messages == 11);
  CHECK(first->payload.size() == kInlinePayloadMax + 1);
  queue.pop(Priority::application);
  CHECK(queue.front(Priority::application)->messages == 1);
  queue.pop(Priority::application);
  CHECK(queue.empty());
}

TEST_CASE("the queue of a peer is bounded per priority and keeps a reserve for control") {
  SendQueue queue(1 << 20);
  const Payload payload(Bytes(10000));
  std::size_t taken = 0;
  while (queue.add(Priority::application, bytes_of("head"), payload)) ++taken;
  CHECK(taken * 10000 <= (1U << 19));
  CHECK(taken * 10000 > (1U << 18));
  CHECK(queue.add(Priority::bulk, bytes_of("head"), payload));
  CHECK(queue.add(Priority::control, bytes_of("head"), {}));
  while (queue.add(Priority::control, bytes_of("head"), {})) {
  }
  CHECK(queue.bytes(Priority::control) <= (1U << 17));
  CHECK(queue.bytes() <= (1U << 20));
}

TEST_CASE("a single message fits an empty queue whatever its size") {
  SendQueue queue(1024);
  CHECK(queue.add(Priority::bulk, bytes_of("head"), Payload(Bytes(1 << 20))));
  CHECK_FALSE(queue.add(Priority::bulk, bytes_of("head"), Payload(Bytes(1))));
}
