#include "pastry/zmq/frame.h"

#define DOCTEST_CONFIG_SUPER_FAST_ASSERTS
#include <doctest/doctest.h>

#include "pastry/core/random.h"
#include "pastry/zmq/send_queue.h"

using namespace pastry;
using namespace pastry::host;

namespace {

Bytes bytes_of(std::string_view text) { return Bytes(text.begin(), text.end()); }

std::vector<RecordReader::Record> read_all(ByteView frame, bool& well_formed) {
  RecordReader reader(frame);
  std::vector<RecordReader::Record> records;
  RecordReader::Record record;
  while (reader.next(record)) records.push_back(record);
  well_formed = reader.well_formed();
  return records;
}

}  // namespace

TEST_CASE("records are written and read back") {
  Bytes frame(kTokenSize);
  append_record(frame, bytes_of("header"), bytes_of("payload"), false);
  append_record(frame, bytes_of("h"), {}, false);
  append_record(frame, bytes_of("last"), bytes_of("elsewhere"), true);
  bool fine = false;
  const auto records = read_all(frame, fine);
  CHECK(fine);
  REQUIRE(records.size() == 3);
  CHECK(Bytes(records[0].payload.begin(), records[0].payload.end()) == bytes_of("payload"));
  CHECK(records[1].payload.empty());
  CHECK(records[2].detached);
}

TEST_CASE("every truncation of a frame and every flipped bit is survived") {
  Bytes frame(kTokenSize);
  append_record(frame, bytes_of("header"), bytes_of("payload"), false);
  append_record(frame, bytes_of("other"), bytes_of("bytes"), false);
  bool fine = false;
  for (std::size_t size = 0; size < frame.size(); ++size) {
    const auto records = read_all(ByteView(frame).first(size), fine);
    CHECK(records.size() <= 1);
  }
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    Bytes broken = frame;
    broken[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    for (const auto& record : read_all(broken, fine)) {
      CHECK(record.header.data() >= broken.data());
      CHECK(record.header.data() + record.header.size() <= broken.data() + broken.size());
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
