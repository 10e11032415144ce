#include "apps/control/server.h"

#include <algorithm>
#include <utility>

namespace pastry::control {
namespace {

constexpr int kReceiveQueue = 64;  // messages of a client that wait here, each at most 2 MiB
constexpr int kSendQueue = 65536;  // messages to a client; their bytes are bounded by credit
constexpr std::int64_t kFrameMax = 2 << 20;

// The rest of a multipart message is thrown away.
void skip_rest(zmq::socket_t& socket) {
  zmq::message_t frame;
  while (socket.get(zmq::sockopt::rcvmore)) {
    if (!socket.recv(frame, zmq::recv_flags::dontwait)) return;
  }
}

Payload share(zmq::message_t&& frame) {
  if (frame.size() == 0) return {};
  auto owner = std::make_shared<zmq::message_t>(std::move(frame));
  const ByteView view(owner->data<std::uint8_t>(), owner->size());
  return Payload(std::move(owner), view);
}

zmq::message_t share(const Payload& payload) {
  if (payload.empty()) return {};
  auto* keep = new Payload(payload);
  const ByteView view = keep->view();
  // ZeroMQ only reads the bytes; its signature asks for mutable ones.
  return zmq::message_t(
      const_cast<std::uint8_t*>(view.data()), view.size(),
      [](void*, void* hint) { delete static_cast<Payload*>(hint); }, keep);
}

std::uint64_t cost(std::size_t bytes) { return std::max<std::uint64_t>(bytes, kMessageCost); }

}  // namespace

// --- Call ---

void Call::result(Json result) {
  if (!open()) return;
  Header header;
  header.type = Type::result;
  header.call = id_;
  header.body = std::move(result);
  server_->send(client_, header);
  server_->finish(*this);
}

void Call::error(Error error) {
  if (!open()) return;
  server_->refuse(client_, id_, error);
  server_->finish(*this);
}

bool Call::event(Json event, const Payload& data) {
  if (!open()) return true;
  Header header;
  header.type = Type::event;
  header.call = id_;
  header.body = std::move(event);
  const std::uint64_t price = cost(data.size());
  if (credit_ < price) return false;
  if (server_->send(client_, header, data.empty() ? nullptr : &data) == Server::Sent::full)
    return false;
  credit_ -= price;
  return true;
}

bool Call::data(const Payload& piece, bool end) {
  if (!open()) return true;
  const std::uint64_t price = cost(piece.size());
  if (credit_ < price) return false;
  Header header;
  header.type = Type::data;
  header.call = id_;
  header.end = end;
  if (server_->send(client_, header, &piece) == Server::Sent::full) return false;
  credit_ -= price;
  return true;
}

void Call::grant(std::uint64_t bytes) {
  if (!open() || ended_) return;
  granted_ += bytes;
  Header header;
  header.type = Type::credit;
  header.call = id_;
  header.credit = bytes;
  server_->send(client_, header);
}

// The functions often hold the call itself: without them nothing keeps it alive in a circle. Who
// calls one of them calls a copy.
void Call::close() {
  server_ = nullptr;
  on_data = nullptr;
  on_credit = nullptr;
  on_closed = nullptr;
}

// --- Server ---

Server::Server(zmq::context_t context, zmq::socket_t socket, const Limits& limits)
    : context_(std::move(context)), socket_(std::move(socket)), limits_(limits) {}

Server::~Server() {
  for (auto& [client, calls] : clients_) {
    for (auto& [id, call] : calls) call->close();
  }
}

Result<std::unique_ptr<Server>> Server::open(const std::vector<std::string>& endpoints) {
  return open(endpoints, Limits{});
}

Result<std::unique_ptr<Server>> Server::open(const std::vector<std::string>& endpoints,
                                             const Limits& limits) {
  std::string binding;
  try {
    zmq::context_t context(1);
    zmq::socket_t socket(context, zmq::socket_type::router);
    // With it a send to a client that is gone fails, which is how we learn of it.
    socket.set(zmq::sockopt::router_mandatory, 1);
    socket.set(zmq::sockopt::linger, 100);
    socket.set(zmq::sockopt::ipv6, true);
    socket.set(zmq::sockopt::rcvhwm, kReceiveQueue);
    socket.set(zmq::sockopt::sndhwm, kSendQueue);
    socket.set(zmq::sockopt::maxmsgsize, kFrameMax);
    std::vector<std::string> bound;
    for (const std::string& endpoint : endpoints) {
      binding = endpoint;
      socket.bind(endpoint);
      bound.push_back(socket.get(zmq::sockopt::last_endpoint));
    }
    std::unique_ptr<Server> server(new Server(std::move(context), std::move(socket), limits));
    server->endpoints_ = std::move(bound);
    return server;
  } catch (const zmq::error_t& error) {
    const ErrorCode code = error.num() == EADDRINUSE ? ErrorCode::conflict : ErrorCode::failed;
    return fail(code, "cannot open control socket " + binding + ": " + error.what());
  }
}

void Server::add_method(const std::string& name, Method method) {
  methods_[name] = std::move(method);
}

bool Server::serve() {
  for (std::size_t i = 0; i < limits_.messages_per_serve; ++i) {
    zmq::message_t identity;
    if (!socket_.recv(identity, zmq::recv_flags::dontwait)) return false;
    zmq::message_t header;
    zmq::message_t data;
    if (!socket_.get(zmq::sockopt::rcvmore)) continue;
    if (!socket_.recv(header, zmq::recv_flags::dontwait)) return false;
    const bool has_data = socket_.get(zmq::sockopt::rcvmore) != 0;
    if (has_data && !socket_.recv(data, zmq::recv_flags::dontwait)) return false;
    const bool more = socket_.get(zmq::sockopt::rcvmore) != 0;
    skip_rest(socket_);
    const std::string client = identity.to_string();
    if (more || data.size() > kDataMax) {
      refuse(client, 0,
             {ErrorCode::too_large, "control message with too large or too many frames"});
      continue;
    }
    handle(client, header.to_string_view(), share(std::move(data)), has_data);
  }
  return true;
}

void Server::handle(const std::string& client, std::string_view text, Payload data, bool has_data) {
  CallId call = 0;
  const Result<Header> header = decode(text, call);
  if (!header) {
    refuse(client, call, header.error());
    return;
  }
  if (header->type == Type::call) {
    start(client, *header);
  } else {
    continue_call(client, *header, std::move(data), has_data);
  }
}

void Server::start(const std::string& client, const Header& header) {
  const auto method = methods_.find(header.method);
  if (header.call == 0) return refuse(client, 0, {ErrorCode::invalid, "call id 0 is reserved"});
  if (method == methods_.end()) {
    return refuse(client, header.call,
                  {ErrorCode::invalid, "unknown method '" + header.method + "'"});
  }
  const auto known = clients_.find(client);
  if (known == clients_.end() && clients_.size() >= limits_.clients_max) {
    return refuse(client, header.call, {ErrorCode::full, "too many clients"});
  }
  if (known != clients_.end() && known->second.size() >= limits_.calls_per_client_max) {
    return refuse(client, header.call, {ErrorCode::full, "too many calls of this client"});
  }
  if (known != clients_.end() && known->second.contains(header.call)) {
    return refuse(client, 0, {ErrorCode::invalid, "call id is in use"});
  }
  auto call = std::make_shared<Call>();
  call->server_ = this;
  call->client_ = client;
  call->id_ = header.call;
  call->credit_ = std::min(header.credit, kCreditMax);
  clients_[client][header.call] = call;
  method->second(call, header.body);
}

void Server::continue_call(const std::string& client, const Header& header, Payload data,
                           bool has_data) {
  // The call may just have been answered: what still arrives for it is not an error.
  const std::shared_ptr<Call> call = find(client, header.call);
  if (!call) return;
  switch (header.type) {
    case Type::data: {
      if (!has_data && !header.end) {
        return call->error({ErrorCode::invalid, "a piece without data"});
      }
      const std::uint64_t price = has_data ? cost(data.size()) : 0;
      if (!call->on_data || call->ended_ || price > call->granted_) {
        const auto closed = call->on_closed;
        call->error({ErrorCode::invalid, "bytes were sent without credit"});
        if (closed) closed();
        return;
      }
      call->granted_ -= price;
      call->ended_ = header.end;
      const auto on_data = call->on_data;
      return on_data(std::move(data), header.end);
    }
    case Type::credit: {
      call->credit_ = std::min(kCreditMax, call->credit_ + std::min(header.credit, kCreditMax));
      const auto on_credit = call->on_credit;
      if (on_credit) on_credit();
      return;
    }
    case Type::cancel: {
      const auto closed = call->on_closed;
      finish(*call);
      if (closed) closed();
      return;
    }
    case Type::call:
    case Type::result:
    case Type::error:
    case Type::event:
    case Type::ping:
      return refuse(client, header.call, {ErrorCode::invalid, "unexpected type from a client"});
  }
}

void Server::tick() {
  Header ping;
  ping.type = Type::ping;
  std::vector<std::string> gone;
  for (const auto& [client, calls] : clients_) {
    if (send(client, ping) == Sent::gone) gone.push_back(client);
  }
  for (const std::string& client : gone) drop_client(client);
}

void Server::close_calls(const Error& error) {
  while (!clients_.empty()) {
    const std::shared_ptr<Call> call = clients_.begin()->second.begin()->second;
    const auto closed = call->on_closed;
    call->error(error);
    if (closed) closed();
  }
}

std::size_t Server::running_calls() const {
  std::size_t count = 0;
  for (const auto& [client, calls] : clients_) count += calls.size();
  return count;
}

Server::Sent Server::send(const std::string& client, const Header& header, const Payload* data) {
  try {
    zmq::message_t identity(client);
    if (!socket_.send(identity, zmq::send_flags::sndmore | zmq::send_flags::dontwait)) {
      return Sent::full;
    }
    zmq::message_t text(encode(header));
    const auto flags = zmq::send_flags::dontwait;
    socket_.send(text, data == nullptr ? flags : flags | zmq::send_flags::sndmore);
    if (data != nullptr) {
      zmq::message_t bytes = share(*data);
      socket_.send(bytes, flags);
    }
    return Sent::yes;
  } catch (const zmq::error_t&) {
    return Sent::gone;  // EHOSTUNREACH
  }
}

void Server::refuse(const std::string& client, CallId call, const Error& error) {
  Header header;
  header.type = Type::error;
  header.call = call;
  header.error = error;
  send(client, header);
}

void Server::finish(Call& call) {
  const std::shared_ptr<Call> keep = call.shared_from_this();
  call.close();
  const auto client = clients_.find(call.client_);
  if (client == clients_.end()) return;
  const auto found = client->second.find(call.id_);
  if (found != client->second.end() && found->second.get() == &call) client->second.erase(found);
  if (client->second.empty()) clients_.erase(client);
}

void Server::drop_client(const std::string& client) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  const Calls calls = std::move(found->second);
  clients_.erase(found);
  for (const auto& [id, call] : calls) {
    const auto closed = call->on_closed;
    call->close();
    if (closed) closed();
  }
}

std::shared_ptr<Call> Server::find(const std::string& client, CallId call) const {
  const auto known = clients_.find(client);
  if (known == clients_.end()) return nullptr;
  const auto found = known->second.find(call);
  return found == known->second.end() ? nullptr : found->second;
}

}  // namespace pastry::control
