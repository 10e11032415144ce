#include "pastry/zmq/host.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "pastry/zmq/clock.h"
#include "pastry/zmq/host_impl.h"

namespace pastry::host {
namespace {

std::uint32_t whole_ms(Duration time) {
  return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::milliseconds>(time).count());
}

}  // namespace

Host::Impl::Impl(Options options, std::unique_ptr<Loop> loop)
    : options_(std::move(options)),
      loop_(std::move(loop)),
      inbox_(options_.topology, options_.delayed_bytes_max),
      loss_(options_.transport.loss_seed + 1) {
  now_ = boot_time();
}

Host::Impl::~Impl() {
  // The workers call wake() of the loop, nodes and codec refer to the directory.
  storage_.reset();
  digests_.reset();
  for (LocalNode& local : nodes_) local.seeker.reset();
  transport_.reset();
}

Result<void> Host::Impl::open() {
  if (auto valid = options_.config.validate(); !valid) return valid;
  if (options_.nodes.empty()) return fail(ErrorCode::invalid, "a host needs at least one node");
  if (options_.nodes.size() > wire::kHelloNodesMax)
    return fail(ErrorCode::too_large, "a process hosts at most 1024 nodes");
  options_.transport.leaf_set = options_.config.leaf_set;
  options_.transport.digit_bits = options_.config.digit_bits;
  options_.transport.lease_ms = whole_ms(options_.config.lease);
  options_.transport.heartbeat_ms = whole_ms(options_.config.heartbeat_period);
  auto transport = Transport::open(options_.transport, directory_, verifier_, *this);
  if (!transport) return tl::unexpected<Error>(transport.error());
  transport_ = std::move(*transport);

  std::vector<wire::HelloNode> hello;
  for (const NodeOptions& wanted : options_.nodes) {
    const std::size_t index = nodes_.size();
    if (!by_id_.emplace(wanted.id, index).second)
      return fail(ErrorCode::invalid, "two nodes of a process have the same id");
    const Handle handle =
        directory_.intern({wanted.id, wanted.incarnation, transport_->self(), {}});
    LocalNode local;
    local.handle = handle;
    local.node = std::make_unique<Node>(options_.config, directory_, handle, wanted.seed);
    nodes_.push_back(std::move(local));
    hello.push_back({wanted.id, wanted.incarnation, {}});
  }
  own_host_ = directory_.host_index(nodes_.front().handle);
  transport_->set_nodes(std::move(hello));

  wire::CodecOptions codec;
  codec.overlay_tag = wire::overlay_tag(options_.transport.overlay);
  codec.digit_bits = options_.config.digit_bits;
  codec_ = std::make_unique<wire::Codec>(directory_, verifier_, codec);

  const auto wake = [this] { loop_->wake(); };
  if (options_.store != nullptr)
    storage_ = std::make_unique<Worker>(storage_work(*options_.store), wake,
                                        options_.storage_queue_max, options_.storage_bytes_max);
  if (options_.hash != nullptr)
    digests_ = std::make_unique<Worker>(digest_work(*options_.hash), wake,
                                        options_.storage_queue_max, options_.storage_bytes_max);
  return {};
}

Counters Host::Impl::counters() const {
  Counters sum = transport_->counters();
  sum.messages_local += counters_.messages_local;
  sum.dropped_full += counters_.dropped_full;
  sum.dropped_malformed += counters_.dropped_malformed;
  sum.dropped_unadmitted += counters_.dropped_unadmitted;
  sum.dropped_unknown += counters_.dropped_unknown;
  sum.dropped_loss += counters_.dropped_loss;
  sum.storage_refused += counters_.storage_refused;
  sum.slow_steps += counters_.slow_steps;
  transport_->add_admission_counters(sum);
  return sum;
}

Result<std::unique_ptr<Host>> Host::open(Options options) {
  auto loop = Loop::open(options.posts_max);
  if (!loop) return tl::unexpected<Error>(loop.error());
  auto impl = std::make_unique<Impl>(std::move(options), std::move(*loop));
  if (auto opened = impl->open(); !opened) return tl::unexpected<Error>(opened.error());
  return std::unique_ptr<Host>(new Host(std::move(impl)));
}

Host::Host(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Host::~Host() = default;

std::size_t Host::node_count() const { return impl_->nodes_.size(); }
Node& Host::node(std::size_t index) { return *impl_->nodes_[index].node; }

std::size_t Host::find_node(const NodeId& id) const {
  const auto found = impl_->by_id_.find(id);
  return found == impl_->by_id_.end() ? node_count() : found->second;
}

Directory& Host::directory() { return impl_->directory_; }
const Config& Host::config() const { return impl_->options_.config; }
void Host::found(std::size_t index) { impl_->found(index); }

Result<void> Host::join(std::size_t index, const std::vector<std::string>& endpoints,
                        std::span<const PeerInfo> remembered, bool was_member) {
  return impl_->join(index, endpoints, remembered, was_member);
}

void Host::run_on_node(std::size_t index, ApplicationId application,
                       std::function<void(Context)> action) {
  impl_->run_on_node(index, application, std::move(action));
}

void Host::run() { impl_->run(); }
void Host::stop(bool leave) { impl_->stop(leave); }
bool Host::post(Callback action) { return impl_->loop_->post(std::move(action)); }

Host::Token Host::watch(int fd, short events, std::function<void(short)> action) {
  return impl_->loop_->watch({nullptr, fd, events, 0}, std::move(action));
}

Host::Token Host::watch_socket(void* socket, short events, std::function<void(short)> action) {
  return impl_->loop_->watch({socket, 0, events, 0}, std::move(action));
}

void Host::unwatch(Token watch) { impl_->loop_->unwatch(watch); }

Host::Token Host::every(Duration period, Callback action) {
  return impl_->loop_->at(now() + period, period, std::move(action));
}

Host::Token Host::after(Duration delay, Callback action) {
  return impl_->loop_->at(now() + delay, {}, std::move(action));
}

void Host::cancel(Token timer) { impl_->loop_->cancel(timer); }

void Host::on_event(std::function<void(std::size_t, const NodeEvent&)> listener) {
  impl_->listeners_.push_back(std::move(listener));
}

Time Host::now() const { return boot_time(); }
const std::string& Host::address() const { return info().addresses.front(); }
const HostInfo& Host::info() const { return impl_->transport_->self(); }

std::string Host::security_notice() const {
  return "insecure: no identities, everybody on this machine can join; loopback only";
}

void Host::block(const std::vector<NodeId>& senders) {
  impl_->blocked_ = {senders.begin(), senders.end()};
}

Counters Host::counters() const { return impl_->counters(); }
std::size_t Host::connected_peers() const { return impl_->transport_->connected_peers(); }

}  // namespace pastry::host
