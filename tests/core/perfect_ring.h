// Peers and rings for tests of the bare tables.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/random.h"
#include "pastry/core/routing.h"

namespace pastry::test {

inline const Id kZeroId{};
inline const Id kLastId{UINT64_MAX, UINT64_MAX};

// Each host number is a process of its own; the label is its failure domain.
inline PeerInfo peer(const NodeId& id, std::uint64_t incarnation = 1, std::uint32_t host = 0,
                     const std::string& domain = {}) {
  PeerInfo info;
  info.id = id;
  info.incarnation = incarnation;
  for (std::size_t i = 0; i < 4; ++i) {
    info.host.transport_key.bytes[i] = static_cast<std::uint8_t>(host >> (8 * i));
  }
  info.host.domain = domain;
  return info;
}

inline proximity::Proximity rtt(std::int64_t microseconds) {
  return proximity::Proximity::from(std::chrono::microseconds(microseconds));
}

// Nodes with the tables that perfect knowledge would give them: leaf sets that equal the sorted
// ring, every routing table slot filled for which there is a node (with one of its candidates by
// chance, as network distance is independent of the id), random neighbours.
class PerfectRing {
 public:
  PerfectRing(std::vector<NodeId> ids, int digit_bits, int leaf_set_size, int neighbourhood_size,
              std::uint64_t seed)
      : ids_(std::move(ids)), random_(seed) {
    std::sort(ids_.begin(), ids_.end());
    for (const NodeId& id : ids_) {
      handles_.push_back(
          directory_.intern(peer(id, 1, static_cast<std::uint32_t>(handles_.size()))));
    }
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      nodes_.emplace_back(directory_, ids_[i], digit_bits, leaf_set_size, neighbourhood_size);
      fill_leaf_set(i, leaf_set_size);
      fill_routing_table(i, digit_bits);
      for (int j = 0; j < neighbourhood_size; ++j) {
        nodes_[i].neighbourhood.consider(handles_[random_.below(ids_.size())], rtt(j + 1));
      }
    }
  }

  std::size_t size() const { return ids_.size(); }
  const std::vector<NodeId>& ids() const { return ids_; }
  const Directory& directory() const { return directory_; }
  Handle handle(std::size_t node) const { return handles_[node]; }
  Tables& tables(std::size_t node) { return nodes_[node]; }
  const Tables& tables(std::size_t node) const { return nodes_[node]; }
  Random& random() { return random_; }

  std::size_t position(Handle handle) const { return index(handle); }

  // The node that is closest to the key, from the sorted list alone.
  std::size_t root(const Key& key) const {
    const auto above = std::lower_bound(ids_.begin(), ids_.end(), key);
    const std::size_t next = static_cast<std::size_t>(above - ids_.begin()) % ids_.size();
    const std::size_t previous = (next + ids_.size() - 1) % ids_.size();
    return closer(key, ids_[previous], ids_[next]) ? previous : next;
  }

 private:
  void fill_leaf_set(std::size_t node, int size) {
    const std::size_t half = static_cast<std::size_t>(size / 2);
    for (std::size_t step = 1; step <= half && step < ids_.size(); ++step) {
      nodes_[node].leaf_set.insert(handles_[(node + step) % ids_.size()]);
      nodes_[node].leaf_set.insert(handles_[(node + ids_.size() - step) % ids_.size()]);
    }
  }

  // The nodes whose first `row` + 1 digits are those of `prefix`, as positions [from, to).
  std::pair<std::size_t, std::size_t> with_prefix(const Id& prefix, int row, int digit_bits) const {
    const int rest = std::max(0, Id::kBits - (row + 1) * digit_bits);
    const Id mask = rest == 0    ? kZeroId
                    : rest >= 64 ? Id((rest == 128 ? 0 : 1ULL << (rest - 64)) - 1, UINT64_MAX)
                                 : Id(0, (1ULL << rest) - 1);
    const Id low(prefix.high() & ~mask.high(), prefix.low() & ~mask.low());
    const Id high(prefix.high() | mask.high(), prefix.low() | mask.low());
    const auto from = std::lower_bound(ids_.begin(), ids_.end(), low);
    const auto to = std::upper_bound(ids_.begin(), ids_.end(), high);
    return {static_cast<std::size_t>(from - ids_.begin()),
            static_cast<std::size_t>(to - ids_.begin())};
  }

  void fill_routing_table(std::size_t node, int digit_bits) {
    const Id& self = ids_[node];
    for (int row = 0; row < digit_count(digit_bits); ++row) {
      for (int column = 0; column < 1 << digit_bits; ++column) {
        if (column == digit(self, row, digit_bits)) continue;
        const Id prefix = with_digit(self, row, column, digit_bits);
        if (digit(prefix, row, digit_bits) != column) continue;
        const auto [from, to] = with_prefix(prefix, row, digit_bits);
        if (from == to) continue;
        nodes_[node].routing_table.consider(handles_[from + random_.below(to - from)], rtt(1));
      }
      const auto [from, to] = with_prefix(self, row, digit_bits);
      if (to - from == 1) return;
    }
  }

  std::vector<NodeId> ids_;
  Random random_;
  Directory directory_;
  std::vector<Handle> handles_;
  std::vector<Tables> nodes_;
};

inline std::vector<NodeId> random_ids(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<NodeId> ids;
  for (std::size_t i = 0; i < count; ++i) ids.push_back(random.id());
  return ids;
}

}  // namespace pastry::test
