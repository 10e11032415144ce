#include "pastry/identity/state_file.h"

#include <openssl/rand.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "pastry/core/hex.h"
#include "pastry/identity/files.h"

namespace pastry::identity {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using proximity::Location;

constexpr std::size_t kNodesMax = 100'000;
constexpr std::size_t kFileMax = 16U << 20;
constexpr int kFormat = 1;

tl::unexpected<Error> corrupt(const fs::path& file, const std::string& what) {
  return fail(ErrorCode::corrupt,
              file.string() + ": " + what + "; restore the file, or remove it to start anew");
}

// Empty if there is no such file.
Result<std::optional<Json>> read_json(const fs::path& file) {
  auto text = read_file(file, kFileMax);
  if (!text && text.error().code == ErrorCode::not_found) return std::nullopt;
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object()) return corrupt(file, "not a JSON object");
  const auto format = json.find("format");
  if (format == json.end() || !format->is_number_integer() || *format != kFormat)
    return corrupt(file, "written by another version (\"format\" is not 1)");
  return json;
}

const std::string* text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

// The array `key` of `object`, or nothing.
const Json::array_t* array_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : found->get_ptr<const Json::array_t*>();
}

std::optional<NodeIdentity> node_from(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  const std::string* hex = text_of(json, "id");
  const auto incarnation = json.find("incarnation");
  if (hex == nullptr || incarnation == json.end() || !incarnation->is_number_unsigned())
    return std::nullopt;
  const auto id = NodeId::parse(*hex);
  if (!id) return std::nullopt;
  return NodeIdentity{*id, incarnation->get<std::uint64_t>()};
}

Json to_json(const NodeIdentity& node) {
  return {{"id", node.id.hex()}, {"incarnation", node.incarnation}};
}

// Most have none, which is no error; nothing if it is damaged.
std::optional<Location> location_from(const Json& json) {
  const auto* steps = array_of(json, "location");
  if (steps == nullptr) return Location();
  if (steps->size() != 2 || !(*steps)[0].is_number_integer() || !(*steps)[1].is_number_integer())
    return std::nullopt;
  const auto latitude = (*steps)[0].get<std::int64_t>();
  const auto longitude = (*steps)[1].get<std::int64_t>();
  if (!std::in_range<std::int32_t>(latitude) || !std::in_range<std::int32_t>(longitude))
    return std::nullopt;
  return Location::from_steps(static_cast<std::int32_t>(latitude),
                              static_cast<std::int32_t>(longitude));
}

std::optional<PeerInfo> peer_from(const Json& json) {
  const auto node = node_from(json);
  if (!node) return std::nullopt;
  PeerInfo peer{node->id, node->incarnation, {}, {}};
  const std::string* key = text_of(json, "transport_key");
  const std::string* domain = text_of(json, "domain");
  const std::string* signature = text_of(json, "signature");
  const auto* addresses = array_of(json, "addresses");
  if (key == nullptr || domain == nullptr || signature == nullptr || addresses == nullptr ||
      !from_hex(*key, peer.host.transport_key.bytes))
    return std::nullopt;
  peer.host.domain = *domain;
  const auto location = location_from(json);
  if (!location) return std::nullopt;
  peer.host.location = *location;
  peer.signature.resize(signature->size() / 2);
  if (!from_hex(*signature, peer.signature)) return std::nullopt;
  for (const Json& address : *addresses) {
    if (!address.is_string()) return std::nullopt;
    peer.host.addresses.push_back(address.get<std::string>());
  }
  return peer;
}

Json to_json(const PeerInfo& peer) {
  Json json = to_json(NodeIdentity{peer.id, peer.incarnation});
  json["transport_key"] = to_hex(peer.host.transport_key.bytes);
  json["addresses"] = peer.host.addresses;
  json["domain"] = peer.host.domain;
  if (const Location& location = peer.host.location; location.known()) {
    json["location"] = {location.latitude_steps(), location.longitude_steps()};
  }
  json["signature"] = to_hex(peer.signature);
  return json;
}

// Text that is not UTF-8 can only come from a peer; it is replaced, not thrown about.
std::string to_text(const Json& json) {
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::vector<NodeIdentity>> read_nodes(const fs::path& file) {
  std::vector<NodeIdentity> nodes;
  const auto json = read_json(file);
  if (!json) return tl::unexpected<Error>(json.error());
  if (!*json) return nodes;
  const auto* list = array_of(**json, "nodes");
  if (list == nullptr || list->size() > kNodesMax) return corrupt(file, "no list \"nodes\"");
  for (const Json& entry : *list) {
    const auto node = node_from(entry);
    if (!node || node->incarnation == std::numeric_limits<std::uint64_t>::max())
      return corrupt(file, "an entry of \"nodes\" is damaged");
    nodes.push_back(*node);
  }
  return nodes;
}

// Raises the incarnation of the first `count` nodes; `id_of(i)` names a node that does not exist
// yet, `accepts(i, id)` says whether an existing one may be used.
template <typename IdOf, typename Accepts>
Result<StartedNodes> start(const fs::path& folder, std::size_t count, IdOf&& id_of,
                           Accepts&& accepts) {
  if (count == 0 || count > kNodesMax) return fail(ErrorCode::invalid, "nodes: not 1 to 100000");
  if (auto made = make_folder(folder, 0755); !made)
    return tl::unexpected<Error>(std::move(made.error()));
  const fs::path file = folder / "nodes.json";
  auto nodes = read_nodes(file);
  if (!nodes) return tl::unexpected<Error>(std::move(nodes.error()));

  StartedNodes started;
  started.remembered = !nodes->empty();
  for (std::size_t i = 0; i < count; ++i) {
    if (i == nodes->size()) {
      const Result<NodeId> id = id_of(i);
      if (!id) return tl::unexpected<Error>(id.error());
      nodes->push_back({*id, 0});
    } else if (!accepts(i, (*nodes)[i].id)) {
      return fail(ErrorCode::conflict, file.string() + ": node " + std::to_string(i) + " is " +
                                           (*nodes)[i].id.hex() + "; use another folder");
    }
    ++(*nodes)[i].incarnation;
  }
  Json json = {{"format", kFormat}, {"nodes", Json::array()}};
  for (const NodeIdentity& node : *nodes) json["nodes"].push_back(to_json(node));
  if (auto written = replace_file(file, to_text(json), 0644); !written)
    return tl::unexpected<Error>(std::move(written.error()));
  started.nodes.assign(nodes->begin(), nodes->begin() + static_cast<std::ptrdiff_t>(count));
  return started;
}

template <typename Value>
Result<Value> random_value() {
  Value value{};
  static_assert(std::is_trivially_copyable_v<Value>);
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&value), sizeof value) != 1)
    return fail(ErrorCode::failed, "OpenSSL has no random numbers");
  return value;
}

}  // namespace

Result<StartedNodes> start_nodes(const fs::path& folder, std::size_t count) {
  return start(
      folder, count, [](std::size_t) { return random_node_id(); },
      [](std::size_t, const NodeId&) { return true; });
}

Result<StartedNodes> start_nodes(const fs::path& folder, std::span<const NodeId> ids) {
  return start(
      folder, ids.size(), [&](std::size_t i) { return Result<NodeId>(ids[i]); },
      [&](std::size_t i, const NodeId& id) { return id == ids[i]; });
}

Result<void> remember_peers(const fs::path& folder, std::span<const PeerInfo> peers) {
  Json json = {{"format", kFormat}, {"peers", Json::array()}};
  for (const PeerInfo& peer : peers.first(std::min(peers.size(), kRememberedMax)))
    json["peers"].push_back(to_json(peer));
  return replace_file(folder / "peers.json", to_text(json), 0644);
}

Result<std::vector<PeerInfo>> remembered_peers(const fs::path& folder) {
  const fs::path file = folder / "peers.json";
  std::vector<PeerInfo> peers;
  const auto json = read_json(file);
  if (!json) return tl::unexpected<Error>(json.error());
  if (!*json) return peers;
  const auto* list = array_of(**json, "peers");
  if (list == nullptr || list->size() > kRememberedMax) return corrupt(file, "no list \"peers\"");
  for (const Json& entry : *list) {
    auto peer = peer_from(entry);
    if (!peer) return corrupt(file, "an entry of \"peers\" is damaged");
    peers.push_back(std::move(*peer));
  }
  return peers;
}

bool was_member(const fs::path& folder) {
  std::error_code unreadable;  // remembered_peers tells of it
  return fs::exists(folder / "peers.json", unreadable);
}

Result<NodeId> random_node_id() {
  return random_value<std::array<std::uint64_t, 2>>().map(
      [](const auto& words) { return NodeId(words[0], words[1]); });
}

Result<TransportKey> random_transport_key() { return random_value<TransportKey>(); }

Result<std::uint64_t> random_seed() { return random_value<std::uint64_t>(); }

}  // namespace pastry::identity
