#include "tests/wire/fixture.h"

#include <algorithm>
#include <sstream>

namespace pastry::wire {

std::vector<Handle> MessageSource::some(std::size_t max) {
  std::vector<Handle> list(random_.below(std::min(max, longest_) + 1));
  for (Handle& handle : list) handle = peer();
  return list;
}

Proximity MessageSource::distance() {
  return flag() ? Proximity::from(std::chrono::microseconds(number())) : Proximity();
}

std::vector<Located> MessageSource::located(std::size_t max) {
  std::vector<Located> list;
  for (const Handle peer : some(max)) list.push_back({peer, distance()});
  return list;
}

Row MessageSource::row() { return {static_cast<std::uint8_t>(random_.below(32)), some(16)}; }

std::vector<Row> MessageSource::rows() {
  std::vector<Row> list(random_.below(std::min<std::size_t>(5, longest_) + 1));
  for (Row& entry : list) entry = row();
  return list;
}

Routed MessageSource::routed() {
  Routed message;
  RouteHeader& header = message.header;
  header.key = random_.id();
  header.application = ApplicationId{number()};
  header.source = peer();
  header.sequence = random_.next();
  header.kind = flag() ? LookupKind::consistent : LookupKind::replica;
  header.replicas = static_cast<std::uint8_t>(1 + random_.below(kReplicasMax));
  header.wants_outcome = flag();
  header.witnessed = flag();
  header.hops = hops();
  header.reroutes = static_cast<std::uint8_t>(random_.below(256));
  header.hop_sequence = number();
  if (flag()) header.avoid = some(kAvoidMax);
  message.payload = payload();
  return message;
}

JoinRequest MessageSource::join_request() { return {peer(), number(), hops(), rows()}; }

Lease MessageSource::lease() {
  const auto rest = [&] { return std::chrono::milliseconds(random_.below(86'400'001)); };
  Lease message{number(), number(), flag(), flag(), flag(), flag(), rest(), {}};
  for (const Handle peer : some(kGuardedMax)) message.guarded.emplace_back(peer, rest());
  return message;
}

Message MessageSource::message(std::size_t kind) {
  switch (kind) {
    case 0:
      return routed();
    case 1: {
      HopAck message;
      message.held = random_.below(2) == 1;
      for (auto i = random_.below(20); i > 0; --i)
        message.ranges.emplace_back(number(), static_cast<std::uint32_t>(1 + random_.below(1000)));
      return message;
    }
    case 2:
      return Outcome{random_.next(), static_cast<RouteResult>(random_.below(4)), hops()};
    case 3:
      return join_request();
    case 4:
      return JoinTransfer{join_request()};
    case 5:
      return GapReserve{number(), some(kBatchMax)};
    case 6:
      return GapReserveReply{number(), flag(), maybe()};
    case 7:
      return JoinGrant{number(), number(), some(kBatchMax), maybe(), some(kLeafSetMax), rows()};
    case 8:
      return JoinReport{number(), flag()};
    case 9:
      return GapRelease{number()};
    case 10:
      return JoinRefused{number(), std::chrono::milliseconds(random_.below(3'600'001))};
    case 11:
      return LeafProbe{flag(),
                       flag(),
                       number(),
                       some(kLeafSetMax),
                       some(kFailedMax),
                       std::chrono::milliseconds(random_.below(3'600'001)),
                       flag() ? Duration{number()} : Duration{-1}};
    case 12:
      return lease();
    case 13:
      return Ping{number()};
    case 14:
      return Pong{number(), flag(), distance()};
    case 15:
      return RowRequest{static_cast<std::uint8_t>(random_.below(32)),
                        static_cast<std::uint8_t>(random_.below(32))};
    case 16:
      return RowReply{located(kNeighbourhoodMax)};
    case 17:
      return NeighbourhoodRequest{};
    case 18:
      return NeighbourhoodReply{located(kNeighbourhoodMax)};
    case 19:
      return Announce{flag() ? Duration{number()} : Duration{-1}, located(16)};
    case 20:
      return Leave{some(kLeafSetMax), flag()};
    case 21:
      return Direct{ApplicationId{number()}, number(), flag(), flag(), some(4), payload()};
    case 22:
      return Seek{peer(), hops()};
    default:
      return Relay{peer(), peer(),
                   std::make_shared<Enclosed>(Enclosed{message(random_.below(23))})};
  }
}

namespace {

class Describer {
 public:
  explicit Describer(const Directory& directory) : directory_(directory) {}
  std::string text() const { return out_.str(); }

  void operator()(Handle peer) {
    if (peer == kNoHandle) {
      out_ << "none ";
      return;
    }
    const PeerInfo info = directory_.info(peer);
    out_ << info.id.hex() << '/' << info.incarnation << '[';
    for (const int byte : info.host.transport_key.bytes) out_ << byte << ',';
    for (const auto& address : info.host.addresses) out_ << address << ' ';
    out_ << '|' << info.host.domain << '|' << info.host.location.latitude_steps() << ','
         << info.host.location.longitude_steps() << '|';
    for (const int byte : info.signature) out_ << byte << ',';
    out_ << "] ";
  }
  void operator()(const std::vector<Handle>& peers) {
    out_ << peers.size() << ':';
    for (const Handle peer : peers) (*this)(peer);
  }
  void operator()(Proximity distance) {
    number(distance.known() ? distance.round_trip().count() : -1);
  }
  void operator()(const std::vector<Located>& list) {
    out_ << list.size() << ':';
    for (const Located& entry : list) {
      (*this)(entry.peer);
      (*this)(entry.distance);
    }
  }
  void operator()(const Row& row) {
    out_ << "row " << int{row.index} << ' ';
    (*this)(row.entries);
  }
  void operator()(const std::vector<Row>& rows) {
    for (const Row& row : rows) (*this)(row);
  }
  void operator()(const Payload& payload) {
    out_ << payload.size() << '=';
    for (const int byte : payload.view()) out_ << byte << ',';
  }
  template <typename Number>
  void number(Number value) {
    out_ << static_cast<long long>(value) << ' ';
  }

  void operator()(const Routed& m) {
    const RouteHeader& h = m.header;
    out_ << h.key.hex() << ' ';
    number(h.application);
    (*this)(h.source);
    number(h.sequence);
    number(h.kind);
    number(h.replicas);
    number(h.wants_outcome);
    number(h.witnessed);
    number(h.hops);
    number(h.reroutes);
    number(h.hop_sequence);
    (*this)(h.avoid);
    (*this)(m.payload);
  }
  void operator()(const HopAck& m) {
    for (const auto& [first, count] : m.ranges) out_ << first << '+' << count << ' ';
    number(m.held);
  }
  void operator()(const Outcome& m) {
    number(m.sequence);
    number(m.result);
    number(m.hops);
  }
  void operator()(const JoinRequest& m) {
    (*this)(m.joiner);
    number(m.attempt);
    number(m.hops);
    (*this)(m.rows);
  }
  void operator()(const JoinTransfer& m) { (*this)(m.request); }
  void operator()(const GapReserve& m) {
    number(m.batch);
    (*this)(m.joiners);
  }
  void operator()(const GapReserveReply& m) {
    number(m.batch);
    number(m.granted);
    (*this)(m.predecessor);
  }
  void operator()(const JoinGrant& m) {
    number(m.attempt);
    number(m.batch);
    (*this)(m.batch_joiners);
    (*this)(m.successor);
    (*this)(m.leaf_set);
    (*this)(m.rows);
  }
  void operator()(const JoinReport& m) {
    number(m.batch);
    number(m.active);
  }
  void operator()(const GapRelease& m) { number(m.batch); }
  void operator()(const JoinRefused& m) {
    number(m.attempt);
    number(m.retry_after.count());
  }
  void operator()(const LeafProbe& m) {
    number(m.reply);
    number(m.active);
    number(m.token);
    (*this)(m.leaf_set);
    (*this)(m.failed);
    number(m.probe_period.count());
    number(m.round_trip.count());
  }
  void operator()(const Lease& m) {
    number(m.request);
    number(m.grant);
    number(m.left);
    number(m.right);
    number(m.active);
    number(m.vouches);
    number(m.others.count());
    for (const auto& [peer, remaining] : m.guarded) {
      (*this)(peer);
      number(remaining.count());
    }
  }
  void operator()(const Ping& m) { number(m.token); }
  void operator()(const Pong& m) {
    number(m.token);
    number(m.active);
    (*this)(m.wanted);
  }
  void operator()(const RowRequest& m) {
    number(m.first);
    number(m.last);
  }
  void operator()(const RowReply& m) { (*this)(m.entries); }
  void operator()(const NeighbourhoodRequest&) {}
  void operator()(const NeighbourhoodReply& m) { (*this)(m.members); }
  void operator()(const Announce& m) {
    number(m.round_trip.count());
    (*this)(m.row);
  }
  void operator()(const Leave& m) {
    (*this)(m.leaf_set);
    number(m.gives_up);
  }
  void operator()(const Direct& m) {
    number(m.application);
    number(m.request);
    number(m.reply);
    number(m.refused);
    (*this)(m.peers);
    (*this)(m.payload);
  }
  void operator()(const Seek& m) {
    (*this)(m.seeker);
    number(m.hops);
  }
  void operator()(const Relay& m) {
    (*this)(m.source);
    (*this)(m.target);
    number(m.enclosed->message.index());
    std::visit(*this, m.enclosed->message);
  }

 private:
  const Directory& directory_;
  std::ostringstream out_;
};

}  // namespace

std::string describe(const Directory& directory, const Message& message) {
  Describer describer(directory);
  std::visit(describer, message);
  return std::string(kind_of(message)) + ": " + describer.text();
}

}  // namespace pastry::wire
