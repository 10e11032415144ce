#include "pastry/zmq/listener.h"

#include <array>
#include <random>

#include "pastry/wire/limits.h"

namespace pastry::host {
namespace {

constexpr int kSearchAttempts = 500;
// Below the range from which the kernel takes ports for outgoing connections.
constexpr std::uint16_t kSearchFrom = 12000;
constexpr std::uint16_t kSearchTo = 32000;

constexpr std::size_t kUnprovenMax = 512;
constexpr int kAdmissionHighWaterMark = 64;

Result<zmq::socket_t> bind(zmq::context_t& context, const Endpoint& endpoint, Channel channel,
                           const TransportOptions& options) {
  SocketRequest request;
  request.ipv6 = endpoint.needs_ipv6();
  request.type = channel == Channel::admission ? zmq::socket_type::router : zmq::socket_type::pull;
  request.frame_max = channel == Channel::admission ? wire::kHelloBytesMax : options.frame_max;
  request.high_water_mark = channel == Channel::admission ? kAdmissionHighWaterMark
                            : channel == Channel::data    ? options.data_high_water_mark
                                                          : options.bulk_high_water_mark;
  auto socket = make_socket(context, request, options);
  if (!socket) return socket;
  const std::string text = endpoint.text(channel);
  if (zmq_bind(socket->handle(), text.c_str()) == 0) return socket;
  const int number = zmq_errno();
  if (number == EADDRINUSE)
    return fail(ErrorCode::conflict, "port taken: cannot listen on " + text +
                                         " (a process uses its port and the two after it)");
  if (number == EADDRNOTAVAIL || number == ENODEV || number == EINVAL)
    return fail(ErrorCode::invalid,
                "cannot listen on " + text + ": no such address on this machine");
  return socket_error("cannot listen on " + text, number);
}

Result<std::array<zmq::socket_t, 3>> bind_all(zmq::context_t& context, const Endpoint& endpoint,
                                              const TransportOptions& options) {
  std::array<zmq::socket_t, 3> sockets;
  for (const Channel channel : kChannels) {
    auto socket = bind(context, endpoint, channel, options);
    if (!socket) return tl::unexpected<Error>(std::move(socket.error()));
    sockets[static_cast<std::size_t>(channel)] = std::move(*socket);
  }
  return sockets;
}

Result<std::array<zmq::socket_t, 3>> search(zmq::context_t& context, Endpoint& endpoint,
                                            const TransportOptions& options) {
  std::random_device random;
  Error last;
  for (int attempt = 0; attempt < kSearchAttempts; ++attempt) {
    endpoint.port = static_cast<std::uint16_t>(kSearchFrom + random() % (kSearchTo - kSearchFrom));
    auto sockets = bind_all(context, endpoint, options);
    if (sockets || sockets.error().code != ErrorCode::conflict) return sockets;
    last = sockets.error();
  }
  return fail(last.code, "no three free consecutive ports found; last: " + last.message);
}

Result<Listener> watch(zmq::context_t& context, zmq::socket_t socket, std::uint16_t port,
                       const Doorkeeper::Limits& limits) {
  auto monitor = Monitor::attach(context, socket);
  if (!monitor) return tl::unexpected<Error>(std::move(monitor.error()));
  return Listener{std::move(socket), Doorkeeper(std::move(*monitor), port, limits)};
}

}  // namespace

Result<Listeners> Listeners::open(zmq::context_t& context, const Endpoint& wanted,
                                  const TransportOptions& options) {
  auto numeric = wanted.resolved();
  if (!numeric) return tl::unexpected<Error>(numeric.error());
  Endpoint endpoint = *numeric;
  auto sockets =
      wanted.port == 0 ? search(context, endpoint, options) : bind_all(context, endpoint, options);
  if (!sockets) return tl::unexpected<Error>(std::move(sockets.error()));

  const auto port = [&](Channel channel) {
    return static_cast<std::uint16_t>(endpoint.port + static_cast<int>(channel));
  };
  // An honest hello is small and its connection short; on the others the first whole frame proves.
  const Doorkeeper::Limits hello{kUnprovenMax, 2 * wire::kHelloBytesMax,
                                 2 * options.handshake_timeout};
  const Doorkeeper::Limits data{kUnprovenMax, 4 * options.frame_max, {}};
  auto admission = watch(context, std::move((*sockets)[0]), port(Channel::admission), hello);
  if (!admission) return tl::unexpected<Error>(std::move(admission.error()));
  auto first = watch(context, std::move((*sockets)[1]), port(Channel::data), data);
  if (!first) return tl::unexpected<Error>(std::move(first.error()));
  auto second = watch(context, std::move((*sockets)[2]), port(Channel::bulk), data);
  if (!second) return tl::unexpected<Error>(std::move(second.error()));
  return Listeners{endpoint, std::move(*admission), std::move(*first), std::move(*second)};
}

void Listeners::close() {
  for (const Channel channel : kChannels) {
    Listener& listener = at(channel);
    listener.doorkeeper.detach(listener.socket);
    listener.socket.close();
  }
}

}  // namespace pastry::host
