#include "apps/service/process.h"

#include <spdlog/spdlog.h>
#include <zmq.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "apps/service/methods.h"
#include "pastry/core/application_ids.h"
#include "pastry/identity/state_file.h"

namespace pastry::service {
namespace {

constexpr Duration kTick = seconds(1);
constexpr Duration kRememberDelay = milliseconds(200);
constexpr Duration kRememberPeriod = seconds(30);
constexpr std::size_t kPeersRemembered = 64;

void log_event(const NodeId& id, const NodeEvent& event) {
  const std::string node = id.hex().substr(0, 8);
  if (std::holds_alternative<NodeActivated>(event)) {
    spdlog::info("node {} is active", node);
  } else if (const auto* down = std::get_if<NodeDeactivated>(&event)) {
    spdlog::warn("node {} is not active: {}", node, down->reason);
  } else if (std::holds_alternative<NodeAlone>(event)) {
    spdlog::warn("node {} is alone: every known peer is dead", node);
  } else if (const auto* failed = std::get_if<JoinFailed>(&event)) {
    spdlog::info("node {} could not join, tries again: {}", node, failed->reason);
  } else if (const auto* dropped = std::get_if<MessageDropped>(&event)) {
    spdlog::debug("node {} gave up a message for {}: {}", node, dropped->key.hex(),
                  dropped->reason);
  } else if (const auto* said = std::get_if<ApplicationEvent>(&event)) {
    spdlog::debug("node {} {}: {}", node, said->name, said->detail);
  }
}

}  // namespace

Result<std::unique_ptr<Process>> Process::open(ProcessSettings settings) {
  std::unique_ptr<Process> process(new Process(std::move(settings)));
  if (auto opened = process->open_nodes(); !opened) return tl::unexpected<Error>(opened.error());
  if (auto opened = process->open_control(); !opened) return tl::unexpected<Error>(opened.error());
  if (process->was_member_) process->data_->keep();
  return process;
}

Process::~Process() {
  registration_.reset();
  if (server_) server_->close_calls({ErrorCode::unavailable, "the node is stopping"});
  server_.reset();
  keeper_.reset();
  // The host calls applications and the store until it is gone.
  host_.reset();
}

Result<void> Process::open_nodes() {
  auto data = DataDir::open(settings_.data_dir);
  if (!data) return tl::unexpected<Error>(data.error());
  data_ = std::move(*data);
  auto peers = identity::remembered_peers(data_->path());
  if (!peers) return tl::unexpected<Error>(peers.error());
  remembered_ = std::move(*peers);

  auto started = settings_.id && settings_.nodes == 1
                     ? identity::start_nodes(data_->path(), std::span(&*settings_.id, 1))
                     : identity::start_nodes(data_->path(), settings_.nodes);
  if (!started) return tl::unexpected<Error>(started.error());
  was_member_ = member_ = identity::was_member(data_->path());
  if (!settings_.create && settings_.seeds.empty() && !was_member_) {
    const std::string who =
        started->remembered ? "this node never was in an overlay" : "this node is new";
    return fail(ErrorCode::invalid, who +
                                        ": found one with --create or join one with "
                                        "--join ADDRESS");
  }

  replica::LmdbStoreOptions store_options;
  store_options.directory = data_->path() / "store";
  store_options.owner = started->nodes.front().id.hex();
  if (settings_.capacity_bytes > 0) store_options.capacity_bytes = settings_.capacity_bytes;
  auto store = replica::LmdbStore::open(hash_, store_options);
  if (!store) return tl::unexpected<Error>(store.error());
  store_ = std::move(*store);

  host::Options options;
  options.transport.listen = settings_.listen;
  options.transport.advertise = settings_.advertise;
  options.transport.overlay = settings_.overlay;
  options.transport.domain = settings_.domain;
  options.transport.location = settings_.location;
  if (settings_.location_of_topology) {
    const auto place = settings_.topology->coordinates(started->nodes.front().id.high());
    if (place) options.transport.location = proximity::Location(*place);
  }
  settings_.config.metric = settings_.metric.get();
  options.config = settings_.config;
  options.topology = settings_.topology;
  options.store = store_.get();
  options.hash = &hash_;
  for (const identity::NodeIdentity& node : started->nodes) {
    const auto seed = identity::random_seed();
    if (!seed) return tl::unexpected<Error>(seed.error());
    options.nodes.push_back({node.id, node.incarnation, *seed});
  }
  auto host = host::Host::open(std::move(options));
  if (!host) return tl::unexpected<Error>(host.error());
  host_ = std::move(*host);

  services_.scribe.hash = &hash_;
  services_.scribe.overlay = settings_.overlay;
  for (std::size_t i = 0; i < host_->node_count(); ++i) {
    stacks_.push_back(std::make_unique<NodeStack>(host_->node(i), hash_, services_));
  }
  return {};
}

Result<void> Process::open_control() {
  const auto directory = control::RuntimeDir::open(settings_.runtime_dir);
  if (!directory) return tl::unexpected<Error>(directory.error());
  std::vector<std::string> endpoints{directory->endpoint("node")};
  if (!settings_.control.empty()) endpoints.push_back(settings_.control);
  auto server = control::Server::open(endpoints);
  if (!server) return tl::unexpected<Error>(server.error());
  server_ = std::move(*server);
  add_methods(*this);

  control::Entry entry;
  entry.kind = "node";
  entry.endpoint = server_->endpoints().front();
  entry.cluster = settings_.cluster;
  for (std::size_t i = 0; i < host_->node_count(); ++i) {
    entry.nodes.push_back(host_->node(i).id().hex());
  }
  auto registration = directory->publish(std::move(entry));
  if (!registration) return tl::unexpected<Error>(registration.error());
  registration_ = std::move(*registration);
  return {};
}

Result<void> Process::run() {
  keeper_ = std::make_unique<PeerKeeper>(data_->path(), was_member_, [this](Result<void> begun) {
    host_->post([this, begun = std::move(begun)] { on_member(begun); });
  });
  host_->on_event([this](std::size_t node, const NodeEvent& event) { on_event(node, event); });
  host_->watch_socket(server_->socket(), ZMQ_POLLIN, [this](short) { serve_control(); });
  host_->every(kTick, [this] { server_->tick(); });
  host_->every(kRememberPeriod, [this] { remember(); });
  const bool bounded = settings_.start_timeout > Duration::zero() && !was_member_;
  if (bounded && !settings_.create) {
    host_->after(settings_.start_timeout, [this] {
      if (ready_) return;
      const std::string why = join_failure_.empty()
                                  ? "no active node answered at " + settings_.seeds.front()
                                  : join_failure_;
      start_error_ = Error{ErrorCode::unavailable, "could not join the overlay: " + why};
      stop(false);
    });
  }
  start_nodes();
  if (!start_error_) host_->run();
  remember();
  if (start_error_) return tl::unexpected<Error>(*start_error_);
  return {};
}

void Process::start_nodes() {
  const bool joins = !settings_.seeds.empty() || !remembered_.empty();
  if (!joins) {
    // A new ring, or one that never had another process.
    host_->found(0);
    return;
  }
  const std::size_t first = was_member_ ? host_->node_count() : 1;
  for (std::size_t i = 0; i < first; ++i) {
    if (auto joined = host_->join(i, settings_.seeds, remembered_, was_member_); !joined) {
      start_error_ = joined.error();
      return;
    }
  }
  rest_joining_ = was_member_;
}

// The other nodes of the process join through the first one as soon as that can help them.
void Process::join_rest() {
  if (std::exchange(rest_joining_, true)) return;
  for (std::size_t i = 1; i < host_->node_count(); ++i) {
    if (auto joined = host_->join(i, {host_->address()}); !joined) {
      spdlog::error("node {} cannot join: {}", host_->node(i).id().hex(), joined.error().message);
    }
  }
}

// A new node that is refused for what it is gives up; one that was a member goes on: another
// process may have taken a port that it remembers. Not where its own overlay refuses it, for its
// options: it would found a second ring beside that one.
void Process::on_join_failed(const JoinFailed& failed) {
  const bool options_differ = failed.code == ErrorCode::conflict;
  const bool final = failed.code == ErrorCode::invalid || failed.code == ErrorCode::incompatible;
  const bool stays = (final && was_member_) || (options_differ && ready_);
  if (stays && failed.reason != join_failure_) spdlog::warn("cannot join: {}", failed.reason);
  join_failure_ = failed.reason;
  const bool gives_up = options_differ || (final && !was_member_);
  if (!gives_up || ready_ || start_error_) return;
  start_error_ = Error{options_differ ? ErrorCode::invalid : failed.code,
                       "could not join the overlay: " + failed.reason};
  stop(false);
}

void Process::on_event(std::size_t node, const NodeEvent& event) {
  log_event(host_->node(node).id(), event);
  if (const auto* failed = std::get_if<JoinFailed>(&event)) return on_join_failed(*failed);
  if (std::holds_alternative<LeafSetChanged>(event)) remember_soon();
  if (!std::holds_alternative<NodeActivated>(event)) return;
  if (!std::exchange(active_once_, true)) remember();
  remember_soon();
  if (node == 0) join_rest();
  announce_if_ready();
}

// That it is a member is on disk: from now on it may found the ring again if all went down.
void Process::on_member(const Result<void>& begun) {
  if (!begun) {
    start_error_ =
        Error{begun.error().code, "cannot remember being a member: " + begun.error().message};
    stop(true);
    return;
  }
  member_ = true;
  announce_if_ready();
}

void Process::announce_if_ready() {
  if (ready_ || !member_) return;
  for (std::size_t i = 0; i < host_->node_count(); ++i) {
    if (!host_->node(i).active()) return;
  }
  ready_ = true;
  data_->keep();
  if (on_ready) on_ready();
}

void Process::remember_soon() {
  if (std::exchange(remember_pending_, true)) return;
  host_->after(kRememberDelay, [this] {
    remember_pending_ = false;
    remember();
  });
}

void Process::remember() {
  if (!active_once_) return;  // knows no better than in its earlier life, or is no member yet
  std::vector<PeerInfo> peers;
  std::vector<NodeId> seen;
  for (std::size_t i = 0; i < host_->node_count(); ++i) {
    for (const Handle handle : host_->node(i).peers_to_remember(kPeersRemembered)) {
      PeerInfo info = host_->directory().info(handle);
      if (info.host == host_->info()) continue;  // of this process
      if (std::find(seen.begin(), seen.end(), info.id) != seen.end()) continue;
      seen.push_back(info.id);
      peers.push_back(std::move(info));
    }
  }
  keeper_->keep(std::move(peers));
}

// ZeroMQ reports readiness on an edge: after a full round another one is due without a new event.
void Process::serve_control() {
  if (!server_->serve() || std::exchange(serving_again_, true)) return;
  host_->after(Duration::zero(), [this] {
    serving_again_ = false;
    serve_control();
  });
}

void Process::stop(bool leave) {
  remember();
  registration_.reset();
  server_->close_calls({ErrorCode::unavailable, "the node is stopping"});
  host_->stop(leave);
}

Result<std::size_t> Process::choose_node(const control::Json& params) {
  const auto named = params.find("node");
  if (named != params.end() && named->is_string() && !named->get<std::string>().empty()) {
    const auto id = Id::parse(named->get<std::string>());
    if (!id) return tl::unexpected<Error>(id.error());
    const std::size_t index = host_->find_node(*id);
    if (index == host_->node_count()) {
      return fail(ErrorCode::unavailable, "this process has no node " + id->hex());
    }
    if (!host_->node(index).active()) {
      return fail(ErrorCode::unavailable, "node " + id->hex() + " is not active");
    }
    return index;
  }
  for (std::size_t i = 0; i < host_->node_count(); ++i) {
    if (host_->node(i).active()) return i;
  }
  return fail(ErrorCode::unavailable, "the node has not joined a ring yet");
}

}  // namespace pastry::service
