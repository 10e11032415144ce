// Damaged frames: truncated, flipped, spliced, random. The codec never throws or asserts; what it
// accepts it can also send; and its short cuts agree with the general path, message by message.
#include <doctest/doctest.h>

#include <array>
#include <ctime>

#include "tests/wire/raw.h"

namespace pastry::wire {
namespace {

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {
    std::vector<Handle> handles;
    for (int i = 0; i < 12; ++i) handles.push_back(directory_.intern(random_peer(random_)));
    for (const Handle handle : handles)
      for (Directory* other : {&general_directory_, &hot_directory_})
        other->intern(directory_.info(handle));
    MessageSource source(random_, handles, 6);
    Frames frames;
    for (int i = 0; i < 8; ++i) {
      for (std::size_t kind = 0; kind < kind_count(); ++kind) {
        const Message message = source.message(kind);
        REQUIRE(sender_.encode(source.peer(), source.peer(), message, frames));
        samples_.push_back({frames.header, frames.payload});
      }
    }
  }

  struct Sample {
    Bytes header;
    Payload payload;
  };

  const std::vector<Sample>& samples() const { return samples_; }
  Random& random() { return random_; }

  // Decodes it both ways; true if it was accepted.
  bool check(ByteView header, const Payload& payload) {
    const auto hot = hot_.decode(header, payload);
    const auto general = general_.decode(header, payload);
    REQUIRE(hot.has_value() == general.has_value());
    if (!hot) {
      REQUIRE(hot.error().message == general.error().message);
      return false;
    }
    REQUIRE(describe(hot_directory_, hot->message) ==
            describe(general_directory_, general->message));
    REQUIRE(hot_directory_.info(hot->from) == general_directory_.info(general->from));
    REQUIRE(hot->destination == general->destination);
    const auto again = hot_.encode(hot->from, hot->from, hot->message, out_);
    REQUIRE_MESSAGE(again.has_value(), again.error().message);
    return true;
  }

  Bytes mutated(const Sample& sample) {
    Bytes bytes = sample.header;
    for (auto times = 1 + random_.below(4); times > 0; --times) mutate(bytes);
    return bytes;
  }

 private:
  void mutate(Bytes& bytes) {
    if (bytes.size() < 16) return;
    const std::size_t word = 8 * random_.below(bytes.size() / 8);
    switch (random_.below(8)) {
      case 0:
        bytes[random_.below(bytes.size())] ^= static_cast<std::uint8_t>(1U << random_.below(8));
        break;
      case 1:
        bytes[random_.below(bytes.size())] = static_cast<std::uint8_t>(random_.next());
        break;
      case 2:
        bytes.resize(random_.below(bytes.size()));
        break;
      case 3: {  // an extreme number or a wild pointer
        static constexpr std::array<std::uint64_t, 8> kWords = {
            0, 1, ~0ULL, 0x7fffffffffffffff, 0x0000000700000001, 0xffffffff00000001, 3, ~0ULL - 7};
        std::memcpy(bytes.data() + word, &kWords[random_.below(kWords.size())], 8);
        break;
      }
      case 4: {  // one word becomes another: pointers that point elsewhere
        const std::size_t from = 8 * random_.below(bytes.size() / 8);
        std::memmove(bytes.data() + word, bytes.data() + from, 8);
        break;
      }
      case 5: {  // cut words out, and keep the table right
        bytes.erase(bytes.begin() + static_cast<long>(word),
                    bytes.begin() + static_cast<long>(word) + 8);
        const std::uint64_t table = bytes.size() < 16 ? 0 : (bytes.size() / 8 - 1) << 32;
        if (bytes.size() >= 8) std::memcpy(bytes.data(), &table, 8);
        break;
      }
      case 6: {  // splice with another message
        const Bytes& other = samples_[random_.below(samples_.size())].header;
        const std::size_t size = std::min(bytes.size(), other.size()) - word % 8;
        if (word < size)
          std::memcpy(bytes.data() + word, other.data() + word,
                      std::min<std::size_t>(size - word, 64));
        break;
      }
      default:
        for (std::size_t i = word; i < std::min(bytes.size(), word + 16); ++i)
          bytes[i] = static_cast<std::uint8_t>(random_.next());
    }
  }

  Random random_;
  OpenVerifier verifier_;
  Directory directory_;
  Directory general_directory_{20'000};
  Directory hot_directory_{20'000};
  Codec sender_{directory_, verifier_, {Victim::kTag, 4, 64}};
  Codec general_{general_directory_, verifier_, {Victim::kTag, 4, 64, true}};
  Codec hot_{hot_directory_, verifier_, {Victim::kTag, 4, 64}};
  std::vector<Sample> samples_;
  Frames out_;
};

TEST_CASE("mutation: undamaged messages are accepted") {
  Mutator mutator(1);
  for (const auto& sample : mutator.samples()) CHECK(mutator.check(sample.header, sample.payload));
}

TEST_CASE("mutation: cut off at every length") {
  Mutator mutator(2);
  for (std::size_t i = 0; i < kind_count(); ++i) {
    const auto& sample = mutator.samples()[i];
    for (std::size_t size = 0; size < sample.header.size(); ++size)
      REQUIRE_FALSE(mutator.check(ByteView(sample.header).subspan(0, size), sample.payload));
  }
}

TEST_CASE("mutation: 200,000 damaged frames") {
  Mutator mutator(3);
  const std::clock_t start = std::clock();
  int accepted = 0;
  int done = 0;
  for (; done < 200'000; ++done) {
    const auto& sample = mutator.samples()[mutator.random().below(mutator.samples().size())];
    accepted += mutator.check(mutator.mutated(sample), sample.payload);
    // Under a sanitizer fewer will do.
    if (done % 1000 == 0 && std::clock() - start > 20 * CLOCKS_PER_SEC) break;
  }
  MESSAGE(done << " frames, " << accepted << " of them accepted");
  CHECK(done > 10'000);
  CHECK(accepted > 0);
}

TEST_CASE("mutation: random bytes") {
  Mutator mutator(4);
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes = random_bytes(mutator.random(), 400);
    if (i % 2 == 0 && bytes.size() >= 16) {
      bytes.resize(bytes.size() / 8 * 8);
      const std::uint64_t table = (bytes.size() / 8 - 1) << 32;
      std::memcpy(bytes.data(), &table, 8);
    }
    CHECK_FALSE(mutator.check(bytes, {}));
  }
}

}  // namespace
}  // namespace pastry::wire
