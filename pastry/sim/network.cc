#include "pastry/sim/network.h"

#include <algorithm>
#include <string>
#include <utility>

namespace pastry::sim {

namespace {

// Independent draws of one pair of nodes.
enum Stream : std::uint64_t { kGray = 1, kBlocked, kOneWay, kDirection, kSlow };

constexpr std::uint64_t pair_of_sides(std::uint8_t from, std::uint8_t to) {
  return (std::uint64_t{from} << 8) | to;
}

std::uint64_t mix(std::uint64_t value) {  // splitmix64's finaliser
  value ^= value >> 30;
  value *= 0xbf58476d1ce4e5b9ULL;
  value ^= value >> 27;
  value *= 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

}  // namespace

Result<void> NetworkOptions::validate() const {
  for (const NetworkShare& share : kNetworkShares) {
    const double value = this->*share.value;
    if (!(value >= 0 && value <= 1)) {
      return fail(ErrorCode::invalid, std::string(share.label) + ": must be between 0 and 1");
    }
  }
  const std::pair<const char*, Duration> times[] = {
      {"reordering delay", reordering_delay},
      {"slow processing", slow_processing},
      {"slow backlog", slow_backlog},
  };
  for (const auto& [name, time] : times) {
    if (time < Duration::zero() || time > std::chrono::hours(1)) {
      return fail(ErrorCode::invalid, std::string(name) + ": must be between 0 and 1 h");
    }
  }
  return {};
}

bool NetworkOptions::deceives() const {
  return std::any_of(
      kNetworkShares.begin(), kNetworkShares.end(),
      [this](const NetworkShare& share) { return share.deceives && this->*share.value > 0; });
}

const NetworkShare* find_network_share(std::string_view option) {
  const auto found =
      std::find_if(kNetworkShares.begin(), kNetworkShares.end(),
                   [option](const NetworkShare& share) { return share.option == option; });
  return found == kNetworkShares.end() ? nullptr : &*found;
}

Network::Network(std::shared_ptr<const proximity::Topology> topology, std::uint64_t seed,
                 const NetworkOptions& options)
    : topology_(std::move(topology)), seed_(seed), random_(seed) {
  set_options(options);
}

void Network::set_options(const NetworkOptions& options) {
  options_ = options;
  loss_ = threshold(options.loss);
  duplication_ = threshold(options.duplication);
  reordering_ = threshold(options.reordering);
  gray_links_ = threshold(options.gray_links);
  gray_loss_ = threshold(options.gray_loss);
  blocked_links_ = threshold(options.blocked_links);
  one_way_links_ = threshold(options.one_way_links);
  slow_nodes_ = threshold(options.slow_nodes);
}

void Network::set_loss(double probability) {
  options_.loss = probability;
  loss_ = threshold(probability);
}

void Network::set_duplication(double probability) {
  options_.duplication = probability;
  duplication_ = threshold(probability);
}

std::uint64_t Network::threshold(double probability) {
  constexpr double kScale = 9007199254740992.0;  // 2^53
  return static_cast<std::uint64_t>(std::clamp(probability, 0.0, 1.0) * kScale);
}

std::uint64_t Network::draw(NodeIndex a, NodeIndex b, std::uint64_t stream) const {
  const std::uint64_t pair = link(std::min(a, b), std::max(a, b));
  return mix(mix(pair + seed_) + stream * 0x9e3779b97f4a7c15ULL) >> 11;
}

void Network::cut_both(NodeIndex a, NodeIndex b) {
  cut(a, b);
  cut(b, a);
}

void Network::set_side(NodeIndex node, std::uint8_t side) {
  if (index(node) >= sides_.size()) sides_.resize(index(node) + std::size_t{1});
  sides_[index(node)] = side;
}

void Network::open(std::uint8_t from_side, std::uint8_t to_side) {
  open_.insert(static_cast<std::uint32_t>(pair_of_sides(from_side, to_side)));
}

void Network::heal_partition() {
  sides_.clear();
  open_.clear();
}

void Network::set_slow(NodeIndex node, Duration processing) { slow_[node].own = processing; }

// Whether the seed made the link unusable in this direction.
bool Network::is_bad(NodeIndex from, NodeIndex to) const {
  if (blocked_links_ != 0 && draw(from, to, kBlocked) < blocked_links_) return true;
  if (one_way_links_ == 0 || draw(from, to, kOneWay) >= one_way_links_) return false;
  const bool upwards = (draw(from, to, kDirection) & 1) != 0;
  return upwards == (from < to);
}

bool Network::reachable(NodeIndex from, NodeIndex to) const {
  const std::uint8_t here = side(from);
  const std::uint8_t there = side(to);
  if (here != there && !open_.contains(static_cast<std::uint32_t>(pair_of_sides(here, there)))) {
    return false;
  }
  if (!cut_.empty() && cut_.contains(link(from, to))) return false;
  return !is_bad(from, to);
}

Network::Fate Network::fate(NodeIndex from, NodeIndex to) {
  if (!reachable(from, to)) return Fate::cut;
  if (loss_ != 0 && random_.next() >> 11 < loss_) return Fate::lost;
  if (gray_links_ != 0 && draw(from, to, kGray) < gray_links_ &&
      random_.next() >> 11 < gray_loss_) {
    return Fate::lost;
  }
  if (duplication_ != 0 && random_.next() >> 11 < duplication_) return Fate::arrives_twice;
  return Fate::arrives;
}

// What the node takes for each message at present.
Duration Network::processing(NodeIndex node) const {
  const auto found = slow_.find(node);
  if (found != slow_.end() && found->second.own) return *found->second.own;
  const bool is_slow = slow_nodes_ != 0 && draw(node, node, kSlow) < slow_nodes_;
  return is_slow ? options_.slow_processing : Duration::zero();
}

Time Network::arrival(NodeIndex from, NodeIndex to, Time now) {
  Time arrival = now + delay(from, to);
  if (reordering_ != 0 && random_.next() >> 11 < reordering_) {
    const auto most = static_cast<std::uint64_t>(options_.reordering_delay.count());
    arrival += Duration(static_cast<std::int64_t>(random_.below(most + 1)));
  }
  if (slow_.empty() && slow_nodes_ == 0) return arrival;
  const Duration takes = processing(to);
  if (takes <= Duration::zero()) return arrival;
  Slow& receiver = slow_[to];
  const Time done = std::max(arrival, receiver.busy_until) + takes;
  if (done - arrival > options_.slow_backlog) return kNever;
  receiver.busy_until = done;
  return done;
}

}  // namespace pastry::sim
