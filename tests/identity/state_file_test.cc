#include "pastry/identity/state_file.h"

#include <doctest/doctest.h>

#include <array>

#include "tests/identity/temporary_folder.h"

namespace pastry::identity {
namespace {

TEST_CASE("nodes: an incarnation more with each start") {
  const TemporaryFolder folder;
  const auto data = folder.path() / "data";
  const auto first = start_nodes(data, 2);
  REQUIRE(first);
  CHECK_FALSE(first->remembered);
  REQUIRE(first->nodes.size() == 2);
  CHECK(first->nodes[0].incarnation == 1);
  CHECK(first->nodes[0].id != first->nodes[1].id);

  const auto fewer = start_nodes(data, 1);
  REQUIRE(fewer);
  CHECK(fewer->remembered);
  CHECK(fewer->nodes == std::vector<NodeIdentity>{{first->nodes[0].id, 2}});

  const auto more = start_nodes(data, 3);
  REQUIRE(more);
  REQUIRE(more->nodes.size() == 3);
  CHECK(more->nodes[0] == NodeIdentity{first->nodes[0].id, 3});
  CHECK(more->nodes[1] == NodeIdentity{first->nodes[1].id, 2});
  CHECK(more->nodes[2].incarnation == 1);
  CHECK(files_in(data) == 1);
}

TEST_CASE("nodes: given ids") {
  const TemporaryFolder folder;
  const std::array<NodeId, 2> ids = {NodeId(1, 2), NodeId(3, 4)};
  REQUIRE(start_nodes(folder.path(), ids));
  const auto again = start_nodes(folder.path(), ids);
  REQUIRE(again);
  CHECK(again->nodes == std::vector<NodeIdentity>{{ids[0], 2}, {ids[1], 2}});
  const std::array<NodeId, 1> other = {NodeId(5, 6)};
  const auto conflict = start_nodes(folder.path(), other);
  REQUIRE_FALSE(conflict);
  CHECK(conflict.error().code == ErrorCode::conflict);
  CHECK(start_nodes(folder.path(), 2)->nodes[0].incarnation == 3);
}

TEST_CASE("nodes: a damaged file is named and left alone") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "nodes.json";
  const std::string id(32, 'a');
  for (const std::string& text : {
           std::string(),
           std::string("{"),
           std::string("[]"),
           std::string("{\"format\": 2, \"nodes\": []}"),
           std::string("{\"format\": \"1\", \"nodes\": []}"),
           std::string("{\"format\": 1}"),
           std::string("{\"format\": 1, \"nodes\": {}}"),
           std::string("{\"format\": 1, \"nodes\": [1]}"),
           std::string("{\"format\": 1, \"nodes\": [{\"id\": 7, \"incarnation\": 1}]}"),
           std::string("{\"format\": 1, \"nodes\": [{\"id\": \"xy\", \"incarnation\": 1}]}"),
           "{\"format\": 1, \"nodes\": [{\"id\": \"" + id + "\", \"incarnation\": -1}]}",
           "{\"format\": 1, \"nodes\": [{\"id\": \"" + id +
               "\", \"incarnation\": 18446744073709551615}]}",
       }) {
    CAPTURE(text);
    write(file, text);
    const auto started = start_nodes(folder.path(), 1);
    REQUIRE_FALSE(started);
    CHECK(started.error().code == ErrorCode::corrupt);
    CHECK(started.error().message.find("nodes.json") != std::string::npos);
    CHECK(read(file) == text);
  }
}

TEST_CASE("nodes: a folder that cannot be used") {
  const TemporaryFolder folder;
  write(folder.path() / "file", "");
  const auto started = start_nodes(folder.path() / "file", 1);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ErrorCode::failed);
  CHECK_FALSE(start_nodes(folder.path(), std::size_t{0}));
}

PeerInfo some_peer(std::uint64_t n) {
  PeerInfo peer;
  peer.id = NodeId(n, ~n);
  peer.incarnation = n * n;
  peer.host.transport_key.bytes[3] = static_cast<std::uint8_t>(n);
  peer.host.addresses = {"tcp://127.0.0.1:5000", "tcp://[::1]:5001"};
  peer.host.domain = "rack \"7\"";
  if (n % 2 == 0) peer.host.location = proximity::Location({48.137, -11.575});
  peer.signature = Bytes(n % 65, 0xab);
  return peer;
}

TEST_CASE("peers are remembered in their order, the first thousand of them") {
  const TemporaryFolder folder;
  CHECK(remembered_peers(folder.path())->empty());
  std::vector<PeerInfo> peers;
  for (std::uint64_t i = 0; i < kRememberedMax + 10; ++i) peers.push_back(some_peer(i));
  REQUIRE(remember_peers(folder.path(), peers));
  const auto remembered = remembered_peers(folder.path());
  REQUIRE(remembered);
  peers.resize(kRememberedMax);
  CHECK(*remembered == peers);
  REQUIRE(remember_peers(folder.path(), {}));
  CHECK(remembered_peers(folder.path())->empty());
}

TEST_CASE("who started but never remembered any peers was no member") {
  const TemporaryFolder folder;
  REQUIRE(start_nodes(folder.path(), 1));
  CHECK_FALSE(was_member(folder.path()));
  REQUIRE(remember_peers(folder.path(), {}));  // it founded a ring and is alone in it
  CHECK(was_member(folder.path()));
}

TEST_CASE("peers: a damaged file is an error, text that is not UTF-8 is not") {
  const TemporaryFolder folder;
  write(folder.path() / "peers.json", "{\"format\": 1, \"peers\": [{}]}");
  const auto damaged = remembered_peers(folder.path());
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().code == ErrorCode::corrupt);

  PeerInfo peer = some_peer(1);
  peer.host.domain = "\xff\xfe";
  REQUIRE(remember_peers(folder.path(), std::span(&peer, 1)));
  CHECK(remembered_peers(folder.path())->size() == 1);
}

TEST_CASE("random values differ") {
  CHECK(random_node_id().value() != random_node_id().value());
  CHECK(random_seed().value() != random_seed().value());
  CHECK(random_transport_key().value() != random_transport_key().value());
}

}  // namespace
}  // namespace pastry::identity
