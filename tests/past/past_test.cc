// Files on a simulated ring: streams in and out, ranges, removal, holders dying in between.
#include "past/past.h"

#include "past/file.h"
#include "tests/replica/world.h"

namespace past {

using pastry::ApplicationId;
using pastry::ErrorCode;
using pastry::milliseconds;
using pastry::NodeId;
using pastry::seconds;
using pastry::replica::test::World;
using pastry::sim::NodeIndex;

namespace {

// Small blocks and manifests, so that small files exercise every shape.
struct Files {
  explicit Files(std::uint64_t seed, std::size_t nodes = 12) : world(seed) {
    options.block_bytes = 1000;
    options.manifest_entries = 8;
    options.window = 4;
    world.grow(nodes);
  }

  // A Past for one use; the streams end within it.
  std::unique_ptr<Past> at(NodeIndex node) {
    return std::make_unique<Past>(world.replica(node), world.hash, options);
  }

  // Writes in pieces of `piece` bytes, waiting whenever told to.
  Result<PutResult> put(NodeIndex node, const Payload& bytes, std::size_t piece = 700, int k = 3) {
    auto past = at(node);
    auto answer = std::make_shared<std::optional<Result<PutResult>>>();
    auto may_write = std::make_shared<bool>(true);
    PutId id = 0;
    const auto run = [&](const std::function<void(Context)>& action) {
      world->run(node, ApplicationId{77}, action);
    };
    run([&](Context c) {
      NewFile file;
      file.name = "report.txt";
      file.owner = {1, 2, 3};
      file.k = k;
      file.size = bytes.size();
      const auto begun = past->begin_put(
          c, file,
          {[may_write](Context) { *may_write = true; },
           [answer](Context, Result<PutResult> result) { *answer = std::move(result); }});
      if (!begun) {
        *answer = tl::unexpected(begun.error());
        return;
      }
      id = *begun;
    });
    std::size_t position = 0;
    while (!*answer && position < bytes.size()) {
      const std::size_t size = std::min(piece, bytes.size() - position);
      run([&](Context c) {
        const auto more = past->write(c, id, bytes.part(position, size));
        if (more) *may_write = *more;
      });
      position += size;
      world->run_until([&] { return *may_write || answer->has_value(); },
                       world->now() + seconds(100));
    }
    if (!*answer) run([&](Context c) { CHECK(past->finish(c, id)); });
    world->run_until([&] { return answer->has_value(); }, world->now() + seconds(100));
    REQUIRE(answer->has_value());
    return **answer;
  }

  Result<FileInfo> open(NodeIndex node, const FileId& file) {
    auto past = at(node);
    return world.wait<FileInfo>(node, [&](Context c, auto done) { past->open(c, file, done); });
  }

  Result<Bytes> read(NodeIndex node, const FileInfo& info, Range range) {
    auto past = at(node);
    Bytes all;
    ReadId id = 0;
    return world.wait<Bytes>(node, [&](Context c, auto done) {
      ReadEvents events;
      events.block = [&](Context context, const Payload& bytes) {
        all.insert(all.end(), bytes.view().begin(), bytes.view().end());
        past->consumed(context, id);
      };
      events.done = [&all, done](Context context, const Result<void>& result) {
        if (!result) return done(context, tl::unexpected(result.error()));
        done(context, all);
      };
      const auto begun = past->read(c, info, range, events);
      REQUIRE(begun);
      id = *begun;
    });
  }

  Result<Bytes> get(NodeIndex node, const FileId& file, Range range = {}) {
    const auto info = open(node, file);
    if (!info) return tl::unexpected(info.error());
    return read(node, *info, range);
  }

  Result<PutResult> remove(NodeIndex node, const FileId& file) {
    auto past = at(node);
    return world.wait<PutResult>(node, [&](Context c, auto done) { past->remove(c, file, done); });
  }

  World world;
  Options options;
};

Bytes bytes_of(const Payload& payload) { return {payload.view().begin(), payload.view().end()}; }

}  // namespace

TEST_CASE("files of every shape come back as they were written") {
  Files files(1);
  // Empty, one byte, just below, at and above a block, one manifest full and over, two levels.
  for (const std::size_t size : {0, 1, 999, 1000, 1001, 2000, 8000, 8001, 16000, 17500, 40001}) {
    CAPTURE(size);
    const Payload bytes = files.world.bytes(size);
    const auto put = files.put(files.world.some_active(), bytes);
    REQUIRE_MESSAGE(put, put.error().message);
    CHECK(put->size == size);
    CHECK(put->copies == 3);
    CHECK(put->file_id.hex().size() == 64);
    const NodeIndex reader = files.world.some_active();
    const auto info = files.open(reader, put->file_id);
    REQUIRE_MESSAGE(info, info.error().message);
    CHECK(info->size == size);
    CHECK(info->name == "report.txt");
    CHECK(info->owner == Bytes{1, 2, 3});
    CHECK(info->wanted == 3);
    CHECK(info->blocks == (size <= 1000 ? (size ? 1 : 0) : (size + 999) / 1000));
    const auto back = files.read(reader, *info, {});
    REQUIRE_MESSAGE(back, back.error().message);
    CHECK(*back == bytes_of(bytes));
  }
}

TEST_CASE("ranges") {
  Files files(2);
  const Payload bytes = files.world.bytes(12345);
  const auto put = files.put(files.world.some_active(), bytes, 1000);
  REQUIRE(put);
  const NodeIndex reader = files.world.some_active();
  const auto info = files.open(reader, put->file_id);
  REQUIRE(info);
  const Bytes whole = bytes_of(bytes);
  for (const Range range : {Range{0, 1}, Range{999, 2}, Range{1000, 1000}, Range{12344, 100},
                            Range{12345, 1}, Range{5, 0}, Range{3210, 7654}}) {
    const auto part = files.read(reader, *info, range);
    REQUIRE(part);
    const auto from = whole.begin() + static_cast<std::ptrdiff_t>(range.offset);
    const auto length = std::min<std::uint64_t>(range.length, 12345 - range.offset);
    CHECK(*part == Bytes(from, from + static_cast<std::ptrdiff_t>(length)));
  }
  auto past = files.at(reader);
  files.world->run(reader, ApplicationId{77}, [&](Context c) {
    CHECK(past->read(c, *info, {12346, 1}, {}).error().code == ErrorCode::invalid);
  });
}

TEST_CASE("bad input is refused by value") {
  Files files(3, 3);
  const NodeIndex node = files.world.nodes()[0];
  auto past = files.at(node);
  CHECK(files.put(node, files.world.bytes(5), 5, 6).error().code == ErrorCode::invalid);
  CHECK(files.put(node, files.world.bytes(5), 5, 4).error().code == ErrorCode::unavailable);
  files.world->run(node, ApplicationId{77}, [&](Context c) {
    NewFile file;
    file.name.assign(kFileNameMax + 1, 'x');
    CHECK(past->begin_put(c, file, {}).error().code == ErrorCode::invalid);
    file.name = "a";
    file.size = 4;
    const auto id = past->begin_put(c, file, {});
    REQUIRE(id);
    CHECK(past->write(c, *id, Payload(Bytes(5, 0))).has_value());
    CHECK(past->write(c, *id, Payload(Bytes(1001, 0))).error().code == ErrorCode::too_large);
    CHECK(past->finish(c, *id).error().code == ErrorCode::invalid);
    CHECK(past->finish(c, *id).error().code == ErrorCode::not_found);
    CHECK(past->write(c, 999, Payload()).error().code == ErrorCode::not_found);
  });
  CHECK(files.get(node, files.world.name()).error().code == ErrorCode::not_found);
  // An entry that is not a file.
  const auto name = files.world.name();
  REQUIRE(files.world.put(node, name, files.world.bytes(10)));
  CHECK(files.open(node, name).error().code == ErrorCode::corrupt);
  CHECK(files.remove(node, name).error().code == ErrorCode::corrupt);
}

TEST_CASE("a removed file is gone with all its blocks") {
  Files files(4);
  for (const std::size_t size : {500, 5000, 20000}) {
    const auto put = files.put(files.world.some_active(), files.world.bytes(size));
    REQUIRE(put);
    REQUIRE(files.remove(files.world.some_active(), put->file_id));
    CHECK(files.open(files.world.some_active(), put->file_id).error().code == ErrorCode::not_found);
    CHECK(files.remove(files.world.some_active(), put->file_id).error().code ==
          ErrorCode::not_found);
    for (std::uint64_t i = 0; i < (size + 999) / 1000; ++i) {
      CHECK(files.world.holders(block_name(files.world.hash, put->file_id, i)).empty());
    }
    CHECK(files.world.holders(leaf_name(files.world.hash, put->file_id, 0)).empty());
  }
}

TEST_CASE("a file survives the death of two of its three holders at once, again and again") {
  Files files(5, 16);
  const Payload bytes = files.world.bytes(30000);
  const auto put = files.put(files.world.some_active(), bytes);
  REQUIRE(put);
  for (int round = 0; round < 5; ++round) {
    const auto set = files.world.closest(put->file_id.key(), 3);
    files.world.crash(set[0]);
    files.world.crash(set[2]);
    const auto back = files.get(files.world.some_active(), put->file_id);
    REQUIRE_MESSAGE(back, back.error().message);
    CHECK(*back == bytes_of(bytes));
    files.world->run_for(seconds(30));
    CHECK(files.world.on_exactly_its_set(put->file_id, 3));
    for (std::uint64_t i = 0; i < 30; ++i) {
      CHECK(files.world.on_exactly_its_set(block_name(files.world.hash, put->file_id, i), 3));
    }
    files.world.restart(set[0]);
    files.world.restart(set[2]);
    files.world->run_for(seconds(10));
  }
}

TEST_CASE(
    "after the death of two holders of a manifest, status counts every block until it is back") {
  using pastry::replica::Status;
  for (const std::uint64_t seed : {71, 72, 73}) {
    CAPTURE(seed);
    Files files(seed, 20);
    World& world = files.world;
    const Payload bytes = world.bytes(64000);
    const auto put = files.put(world.some_active(), bytes);
    REQUIRE(put);
    std::vector<pastry::StoreName> parts = {put->file_id};
    for (std::uint64_t i = 0; i < 64; ++i) parts.push_back(block_name(world.hash, put->file_id, i));
    for (std::uint64_t i = 0; i < 8; ++i) parts.push_back(leaf_name(world.hash, put->file_id, i));
    // Too slow to be over before it is looked at.
    world.options.repair_bytes_per_second = 5000;
    const auto set = world.closest(put->file_id.key(), 3);
    world.crash(set[0]);
    world.crash(set[1]);
    const auto lacking = [&] {
      return std::count_if(parts.begin(), parts.end(),
                           [&](const auto& part) { return world.holders(part).size() < 3; });
    };
    const auto lost = lacking();
    CHECK(lost > 1);
    const auto total = [&] {
      Status sum;
      sum.settled = true;
      for (const auto& [id, node] : world->active_nodes()) {
        const Status status = world.replica(node).status();
        sum.under_replicated += status.under_replicated;
        sum.blobs += status.blobs;
        sum.files += status.files;
        sum.settled = sum.settled && status.settled && !status.scanning;
      }
      return sum;
    };
    // Never all well while something is missing, once the deaths are known.
    world->run_for(seconds(5));
    std::uint64_t most = 0;
    for (int i = 0; i < 600 && lacking() > 0; ++i) {
      const Status sum = total();
      most = std::max(most, sum.under_replicated);
      CHECK_FALSE((sum.settled && sum.under_replicated == 0));
      world->run_for(milliseconds(100));
    }
    CHECK(most > 0);
    CHECK(most <= static_cast<std::uint64_t>(lost));
    CHECK(lacking() == 0);
    // Who was not concerned by the deaths may find out at its next scan only.
    world->run_until([&] { return total().settled && total().under_replicated == 0; },
                     world->now() + seconds(70));
    CHECK(total().settled);
    CHECK(total().under_replicated == 0);
    // What it says of entries is as old as a node's last scan.
    world->run_for(seconds(80));
    CHECK(total().files == 1);
    CHECK(total().blobs == 3 * parts.size());
    for (const auto& part : parts) CHECK(world.on_exactly_its_set(part, 3));
  }
}

TEST_CASE("blocks of an upload that never finished expire, those of a file stay") {
  Files files(6, 8);
  files.world.options.lease = seconds(60);
  const auto kept = files.put(files.world.some_active(), files.world.bytes(5000));
  REQUIRE(kept);
  const NodeIndex node = files.world.some_active();
  auto past = files.at(node);
  files.world->run(node, ApplicationId{77}, [&](Context c) {
    const auto id = past->begin_put(c, {}, {});
    REQUIRE(id);
    for (int i = 0; i < 4; ++i) CHECK(past->write(c, *id, files.world.bytes(1000)));
  });
  const auto blobs = [&] {
    std::uint64_t count = 0;
    for (const NodeIndex each : files.world.nodes()) {
      count += files.world.replica(each).status().blobs;
    }
    return count;
  };
  files.world->run_for(seconds(90));
  CHECK(blobs() == 3 * (5 + 1 + 3));
  files.world->run_for(seconds(400));
  CHECK(blobs() == 3 * (5 + 1));
  CHECK(files.get(files.world.some_active(), kept->file_id).has_value());
}

TEST_CASE(
    "blocks whose manifest is out of reach for long are kept; those of a removed file are not") {
  Files files(7, 10);
  World& world = files.world;
  world.options.lease = seconds(60);
  const auto kept = files.put(world.some_active(), world.bytes(5000));
  REQUIRE(kept);
  const auto blobs = [&] {
    std::uint64_t count = 0;
    for (const NodeIndex each : world.nodes()) {
      if (world->running(each)) count += world.replica(each).status().blobs;
    }
    return count;
  };
  // Everybody has found the manifest once.
  world->run_for(seconds(300));
  REQUIRE(blobs() == 3 * (5 + 1));
  // It is gone from every store, as for a part of the ring that is cut off from its holders.
  for (const NodeIndex node : world.nodes()) {
    pastry::StorageRequest request;
    request.node = world->id(node);
    request.operation = pastry::StoreErase{kept->file_id};
    std::vector<pastry::StorageCompletion> done;
    world.store(node).apply(std::span(&request, 1), done);
  }
  world->run_for(seconds(900));
  CHECK(blobs() == 3 * 5);

  const auto removed = files.put(world.some_active(), world.bytes(5000));
  REQUIRE(removed);
  world->run_for(seconds(300));
  REQUIRE(blobs() == 3 * (5 + 5 + 1));
  // The tombstone is there, but the request to drop the blocks came to nobody.
  REQUIRE(world.remove(world.some_active(), removed->file_id));
  world->run_for(seconds(700));
  CHECK(blobs() == 3 * 5);
}

TEST_CASE("meta data of a file are checked on the way in") {
  FileMeta meta;
  meta.size = 10;
  meta.block_bytes = 1000;
  meta.manifest_entries = 8;
  meta.replicas = 3;
  const auto encoded = encode(meta);
  REQUIRE(encoded);
  CHECK(encoded->size() <= pastry::replica::kUserMetaMax);
  CHECK(decode(*encoded)->size == 10);
  pastry::replica::Blob blob;
  blob.meta = *encoded;
  CHECK(file_info({}, blob).error().code == ErrorCode::corrupt);
  blob.value = Payload(Bytes(10, 1));
  CHECK(file_info({}, blob).has_value());
  meta.name.assign(kFileNameMax, 'n');
  meta.owner.assign(kOwnerMax, 1);
  CHECK(encode(meta)->size() <= pastry::replica::kUserMetaMax);
  meta.block_bytes = 0;
  CHECK(decode(*encode(meta)).error().code == ErrorCode::corrupt);
  for (std::size_t i = 0; i < encoded->size(); ++i) {
    (void)decode(pastry::ByteView(*encoded).subspan(0, i));
  }
}

}  // namespace past
