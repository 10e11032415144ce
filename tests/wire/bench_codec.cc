// What encoding and decoding cost per message, in nanoseconds.
//
// Warm caches: the same few peers over and over, as on a path that many messages take. "cold" uses
// more peers than the codec keeps at hand.
#include <benchmark/benchmark.h>

#include "tests/wire/fixture.h"

namespace pastry::wire {
namespace {

struct Bench {
  explicit Bench(std::size_t peers = 64) {
    for (std::size_t i = 0; i < peers; ++i) {
      const PeerInfo peer = plain_peer(random);
      handles.push_back(here.intern(peer));
      there.intern(peer);
    }
  }

  Random random{1};
  Directory here;
  Directory there;
  OpenVerifier verifier;
  Codec sender{here, verifier, {7}};
  Codec receiver{there, verifier, {7}};
  std::vector<Handle> handles;
};

Routed routed(Handle source) {
  Routed message;
  message.header.key = Key(1, 2);
  message.header.application = ApplicationId{3};
  message.header.source = source;
  message.header.sequence = 99;
  message.header.hop_sequence = 7;
  message.payload = Payload(Bytes(256, 0x55));
  return message;
}

Message message_of(Bench& bench, int which) {
  const std::vector<Handle> leaf_set(bench.handles.begin(), bench.handles.begin() + 32);
  switch (which) {
    case 0:
      return routed(bench.handles[0]);  // at its source
    case 1:
      return routed(bench.handles[5]);  // on its way
    case 2:
      return HopAck{{{1, 16}, {20, 3}}};
    case 3:
      return Lease{7, 8, true, false, true, {}};
    case 4:
      return Ping{7};
    case 5:
      return Pong{7, true, Proximity()};
    case 6:
      return Direct{ApplicationId{2}, 1, false, false, {}, Payload(Bytes(256, 0x55))};
    case 7:
      return LeafProbe{false, true, 1, leaf_set, {}};
    default:
      return JoinGrant{1,
                       1,
                       {leaf_set.begin(), leaf_set.begin() + 16},
                       leaf_set[0],
                       leaf_set,
                       {{0, {leaf_set.begin(), leaf_set.begin() + 15}}, {1, {leaf_set[1]}}}};
  }
}

void label(benchmark::State& state, const Message& message, const Frames& frames) {
  const bool source = std::holds_alternative<Routed>(message) && state.range(0) == 0;
  state.SetLabel(std::string(kind_of(message)) + (source ? " (at its source)" : "") + ", " +
                 std::to_string(frames.header.size()) + " B");
}

void encode(benchmark::State& state) {
  Bench bench;
  const Message message = message_of(bench, static_cast<int>(state.range(0)));
  Frames frames;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        bench.sender.encode(bench.handles[0], bench.handles[1], message, frames));
    benchmark::DoNotOptimize(frames.header.data());
  }
  label(state, message, frames);
}
BENCHMARK(encode)->DenseRange(0, 8);

void decode(benchmark::State& state) {
  Bench bench;
  const Message message = message_of(bench, static_cast<int>(state.range(0)));
  Frames frames;
  for (int i = 0; i < 3; ++i)  // the third does not introduce the sender
    if (!bench.sender.encode(bench.handles[0], bench.handles[1], message, frames))
      state.SkipWithError("encode failed");
  for (auto _ : state)
    benchmark::DoNotOptimize(bench.receiver.decode(frames.header, frames.payload));
  label(state, message, frames);
}
BENCHMARK(decode)->DenseRange(0, 8);

// What a hop does to a message: read, count, write.
void forward(benchmark::State& state) {
  Bench bench;
  Frames in;
  for (int i = 0; i < 3; ++i)
    if (!bench.sender.encode(bench.handles[0], bench.handles[1], routed(bench.handles[5]), in))
      state.SkipWithError("encode failed");
  const Handle self = bench.there.find(bench.here.id(bench.handles[1]));
  const Handle next = bench.there.find(bench.here.id(bench.handles[2]));
  Frames out;
  for (auto _ : state) {
    auto decoded = bench.receiver.decode(in.header, in.payload);
    auto& header = std::get<Routed>(decoded->message).header;
    ++header.hops;
    ++header.hop_sequence;
    benchmark::DoNotOptimize(bench.receiver.encode(self, next, decoded->message, out));
  }
}
BENCHMARK(forward);

void leaf_probe_cold(benchmark::State& state) {
  Bench bench(100'000);
  Frames frames;
  std::size_t at = 0;
  for (auto _ : state) {
    LeafProbe probe{false, true, 1, {}, {}};
    for (int i = 0; i < 32; ++i)
      probe.leaf_set.push_back(bench.handles[(at += 7919) % bench.handles.size()]);
    benchmark::DoNotOptimize(bench.sender.encode(bench.handles[at % bench.handles.size()],
                                                 bench.handles[1], Message(std::move(probe)),
                                                 frames));
    benchmark::DoNotOptimize(bench.receiver.decode(frames.header));
  }
}
BENCHMARK(leaf_probe_cold);

}  // namespace
}  // namespace pastry::wire

BENCHMARK_MAIN();
