#include "pastry/sim/told_handles.h"

#include <doctest/doctest.h>

#include <set>

#include "pastry/core/message_handles.h"

namespace pastry::sim {

namespace {

constexpr NodeIndex kNode{3};

std::set<std::uint32_t> named_in(const Message& message) {
  std::set<std::uint32_t> handles;
  for_each_handle(message, [&](Handle handle) { handles.insert(index(handle)); });
  return handles;
}

}  // namespace

TEST_CASE("every peer that a message names is seen") {
  Routed routed;
  routed.header.source = Handle{1};
  routed.header.avoid = {Handle{2}, Handle{3}};
  CHECK(named_in(routed) == std::set<std::uint32_t>{1, 2, 3});

  JoinGrant grant;
  grant.batch_joiners = {Handle{1}};
  grant.successor = Handle{2};
  grant.leaf_set = {Handle{3}};
  grant.rows = {Row{0, {Handle{4}, Handle{5}}}};
  CHECK(named_in(grant) == std::set<std::uint32_t>{1, 2, 3, 4, 5});

  JoinTransfer transfer;
  transfer.request.joiner = Handle{7};
  transfer.request.rows = {Row{1, {Handle{8}}}};
  CHECK(named_in(transfer) == std::set<std::uint32_t>{7, 8});

  CHECK(named_in(LeafProbe{false, true, 1, {Handle{1}}, {Handle{2}}}) ==
        std::set<std::uint32_t>{1, 2});
  CHECK(named_in(GapReserveReply{1, true, kNoHandle}).empty());
  CHECK(named_in(Lease{}).empty());
}

TEST_CASE("what a node was not told is a violation") {
  ToldHandles told;
  told.tell(kNode, Handle{5});
  told.tell(kNode, Leave{{Handle{100}, Handle{200}}});
  CHECK(told.was_told(kNode, Handle{5}));
  CHECK(told.was_told(kNode, Handle{200}));
  CHECK_FALSE(told.was_told(kNode, Handle{6}));
  CHECK_FALSE(told.was_told(NodeIndex{9}, Handle{5}));

  told.check_send(kNode, Handle{5}, Leave{{Handle{100}}});
  CHECK(told.violations() == 0);
  told.check_send(kNode, Handle{6}, Leave{{Handle{101}}});
  CHECK(told.violations() == 2);
  CHECK(told.examples().size() == 2);

  told.forget(kNode);
  CHECK_FALSE(told.was_told(kNode, Handle{5}));
}

TEST_CASE("a node's tables are checked") {
  Directory directory;
  const Handle peer = directory.intern(PeerInfo{NodeId(1, 2), 1, {}, {}});
  const Handle other = directory.intern(PeerInfo{NodeId(3, 4), 1, {}, {}});
  Tables tables(directory, NodeId(0, 0), 4, 8, 8);
  tables.leaf_set.insert(peer);
  tables.routing_table.consider(other, {});

  ToldHandles told;
  told.tell(kNode, peer);
  told.check_tables(kNode, tables);
  CHECK(told.violations() == 1);
  told.tell(kNode, other);
  told.check_tables(kNode, tables);
  CHECK(told.violations() == 1);
}

}  // namespace pastry::sim
