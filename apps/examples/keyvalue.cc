// A key-value service on a Pastry ring: what an application of one's own looks like.
//
//   keyvalue                          founds a ring and prints `ready tcp://HOST:PORT`
//   keyvalue tcp://HOST:PORT          joins it through that process
//
// Then `put KEY VALUE` and `get KEY` on standard input; answers come on standard output, with the
// nodes that the request passed. The end of the input ends the process. Values live in the memory
// of the node closest to the hash of their key; see pastry/replica for values that outlive a node.
//
// Build against an installed Pastry:
//   g++ -std=c++20 keyvalue.cc $(pkg-config --cflags --libs pastry-host pastry-identity)
#include <unistd.h>
#include <zmq.h>

#include <iostream>
#include <map>
#include <sstream>
#include <string>

#include "pastry/core/application.h"
#include "pastry/identity/sha256.h"
#include "pastry/identity/state_file.h"
#include "pastry/zmq/host.h"

namespace {

constexpr pastry::ApplicationId kKeyValue = pastry::application_id("example.keyvalue");

// Requests are text: the hops so far on the first line, then the command.
class KeyValue final : public pastry::Application {
 public:
  // A line of the user's: routed to the node that is responsible for the key.
  void request(pastry::Context context, const std::string& line) {
    std::istringstream words(line);
    std::string verb, key;
    if (!(words >> verb >> key) || (verb != "put" && verb != "get")) {
      std::cout << "usage: put KEY VALUE | get KEY" << std::endl;
      return;
    }
    const auto sent = context.route(ring_key(key), pastry::Payload::copy_of("\n" + line));
    if (!sent) std::cout << "error: " << sent.error().message << std::endl;
  }

  // On every node of the path: notes its id in the passing request.
  pastry::ForwardDecision forward(pastry::Context context,
                                  pastry::ForwardedMessage& message) override {
    const std::string text(message.payload.text());
    message.payload = pastry::Payload::copy_of(" " + context.self_id().hex().substr(0, 8) + text);
    return pastry::ForwardDecision::pass;
  }

  // On the responsible node: carries the request out and answers its source directly.
  void deliver(pastry::Context context, const pastry::Delivery& message) override {
    std::istringstream lines{std::string(message.payload.text())};
    std::string path, verb, key, value;
    std::getline(lines, path);
    lines >> verb >> key;
    std::getline(lines >> std::ws, value);
    std::string answer = key;
    if (verb == "put") {
      values_[key] = value;
      answer += " stored";
    } else {
      const auto found = values_.find(key);
      answer += found == values_.end() ? " not found" : " = " + found->second;
    }
    answer += " (via" + path + ")";
    (void)context.send(message.source, pastry::Payload::copy_of(answer));
  }

  void receive(pastry::Context, const pastry::Incoming& message) override {
    std::cout << message.payload.text() << std::endl;
  }

 private:
  static pastry::Key ring_key(const std::string& key) {
    const auto digest = pastry::identity::Sha256().digest(pastry::Payload::copy_of(key).view());
    return *pastry::Id::parse(pastry::hex(digest).substr(0, 32));
  }

  std::map<std::string, std::string> values_;
};

int fail(const pastry::Error& error) {
  std::cerr << "keyvalue: " << error.message << std::endl;
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto id = pastry::identity::random_node_id();
  if (!id) return fail(id.error());
  pastry::host::Options options;
  options.config = pastry::Config::lan();
  options.nodes = {{*id, 1, id->low()}};
  auto opened = pastry::host::Host::open(options);
  if (!opened) return fail(opened.error());
  pastry::host::Host& host = **opened;

  KeyValue service;
  host.node(0).add_application(kKeyValue, service);
  host.on_event([&](std::size_t, const pastry::NodeEvent& event) {
    if (std::holds_alternative<pastry::NodeActivated>(event)) {
      std::cout << "ready " << host.address() << std::endl;
    }
  });
  if (argc > 1) {
    if (auto joining = host.join(0, {argv[1]}); !joining) return fail(joining.error());
  } else {
    host.found(0);
  }

  std::string input;
  host.watch(STDIN_FILENO, ZMQ_POLLIN, [&](short) {
    char bytes[4096];
    const ssize_t size = read(STDIN_FILENO, bytes, sizeof bytes);
    if (size <= 0) return host.stop();
    input.append(bytes, static_cast<std::size_t>(size));
    for (std::size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1)) {
      const std::string line = input.substr(0, end);
      host.run_on_node(0, kKeyValue,
                       [&, line](pastry::Context context) { service.request(context, line); });
    }
  });
  host.run();
  return 0;
}
