// Which copies are in doubt.
#include <doctest/doctest.h>

#include "pastry/replica/strays.h"

namespace pastry::replica::test {

namespace {

struct Alone {
  Options options;
  Calls calls;
  Custodian custodian{options, calls, [](Context, const EntryInfo&) {}};
  Puller puller{options, calls, custodian, [](const EntryInfo&) { return true; }, [](Context) {}};
  Strays strays{calls, custodian, puller};
};

EntryInfo entry(std::uint64_t version) {
  EntryInfo made;
  made.name.bytes[0] = 7;
  made.version = version;
  return made;
}

}  // namespace

TEST_CASE("a copy fetched from no member is in doubt, and no other one") {
  Alone node;
  const Time now{seconds(100)};
  node.strays.note(now, offered(entry(1)));
  CHECK(node.strays.doubt(now, entry(1).name).about(entry(1)));
  CHECK_FALSE(node.strays.doubt(now, entry(1).name).about(entry(2)));
  SUBCASE("until a member offers it, too") {
    node.strays.vouched(offered(entry(2)));
    CHECK(node.strays.doubt(now, entry(1).name).about(entry(1)));
    node.strays.vouched(offered(entry(1)));
    CHECK_FALSE(node.strays.doubt(now, entry(1).name).any);
  }
  SUBCASE("a second one does not clear the first") {
    node.strays.note(now, offered(entry(2)));
    CHECK(node.strays.doubt(now, entry(1).name).about(entry(1)));
    CHECK(node.strays.doubt(now, entry(1).name).about(entry(2)));
    CHECK_FALSE(node.strays.doubt(now, entry(1).name).about(entry(3)));
    node.strays.vouched(offered(entry(1)));
    CHECK_FALSE(node.strays.doubt(now, entry(1).name).about(entry(1)));
    CHECK(node.strays.doubt(now, entry(1).name).about(entry(2)));
  }
  SUBCASE("of more than two nothing is sure") {
    node.strays.note(now, offered(entry(2)));
    node.strays.note(now, offered(entry(3)));
    CHECK(node.strays.doubt(now, entry(1).name).about(entry(4)));
  }
}

TEST_CASE("whatever is held by a node that is no member is in doubt, whoever vouches") {
  Alone node;
  const Time now{seconds(100)};
  node.strays.note(now, offered(entry(1)));
  node.strays.note(now, entry(1).name);
  node.strays.vouched(offered(entry(1)));
  CHECK(node.strays.doubt(now, entry(1).name).about(entry(1)));
  CHECK(node.strays.doubt(now, entry(1).name).about(entry(2)));
  node.strays.dropped(entry(1).name);
  CHECK_FALSE(node.strays.doubt(now, entry(1).name).any);
}

}  // namespace pastry::replica::test
