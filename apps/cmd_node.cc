// pastry node: a process of one or more nodes with files and topics.
#include <arpa/inet.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/node_settings.h"
#include "apps/service/process.h"
#include "pastry/wire/subnet_metric.h"
#include "pastry/zmq/endpoint.h"

namespace pastry::cli {
namespace {

using service::Process;
using service::ProcessSettings;

// Who reaches the control socket may do anything with the node: only on the loopback interface.
Result<std::string> control_endpoint(const std::string& text) {
  const auto endpoint = host::Endpoint::parse(text);
  if (!endpoint) return tl::unexpected<Error>(endpoint.error());
  if (auto allowed = host::require_loopback(*endpoint, "the control address"); !allowed) {
    return tl::unexpected<Error>(allowed.error());
  }
  return endpoint->resolved().map([](const host::Endpoint& numeric) { return numeric.text(); });
}

// The address that peers are told must show the network, or nobody is near.
bool tells_subnet(const ProcessSettings& settings) {
  const auto told =
      host::Endpoint::parse(settings.advertise.empty() ? settings.listen : settings.advertise);
  // What is no endpoint is somebody else's error.
  if (!told) return true;
  in6_addr numeric{};
  return ::inet_pton(AF_INET, told->host.c_str(), &numeric) == 1 ||
         ::inet_pton(AF_INET6, told->host.c_str(), &numeric) == 1;
}

void set_metric(ProcessSettings& settings, const MetricChoice& choice, Reader& reader) {
  if (choice.locations.size() > 1) {
    reader.note({ErrorCode::invalid, "--location takes one place, since a process is at one"});
  }
  if (!choice.locations.empty()) settings.location = choice.locations.front();
  switch (choice.kind) {
    case MetricKind::round_trip:
      break;
    case MetricKind::subnet:
      settings.metric = std::make_shared<wire::SubnetMetric>();
      if (!tells_subnet(settings)) {
        reader.note({ErrorCode::invalid,
                     "--metric subnet needs a numeric address in --listen or --advertise"});
      }
      break;
    case MetricKind::geographic:
      settings.metric = std::make_shared<GeographicMetric>();
      settings.location_of_topology = choice.locations.empty();
      if (settings.location_of_topology && settings.nodes > 1) {
        reader.note({ErrorCode::invalid,
                     "--metric geo: with several nodes in a process it needs --location LAT,LON"});
      }
      break;
    case MetricKind::hops:
      settings.metric = std::make_shared<HopMetric>(settings.topology);
      break;
  }
}

Result<ProcessSettings> read_settings(const Invocation& invocation) {
  const Options& options = invocation.options;
  Reader reader(options);
  ProcessSettings settings;
  settings.create = options.flag("create");
  settings.seeds = options.list("join");
  settings.listen = options.text("listen");
  settings.advertise = options.text("advertise");
  settings.data_dir = options.text("data");
  settings.domain = options.text("domain");
  settings.overlay = options.text("overlay");
  settings.runtime_dir = options.text("runtime-dir");
  settings.start_timeout = invocation.timeout;
  settings.nodes = static_cast<std::size_t>(reader.integer("nodes", 1, 4096));
  settings.cluster = static_cast<pid_t>(reader.integer("cluster-pid", 0, INT32_MAX));
  OverlayConfig overlay = read_config(options, reader);
  settings.config = overlay.config;
  settings.topology = std::move(overlay.topology);
  set_metric(settings, overlay.metric, reader);
  settings.capacity_bytes =
      reader.error() ? 0
                     : static_cast<std::uint64_t>(reader.integer("capacity", 0, INT64_MAX)) << 20;
  if (const std::string text = options.text("control"); !text.empty()) {
    const auto endpoint = control_endpoint(text);
    if (!endpoint) reader.note({ErrorCode::invalid, "--control: " + endpoint.error().message});
    if (endpoint) settings.control = *endpoint;
  }
  if (settings.data_dir.empty()) reader.note({ErrorCode::invalid, "--data DIR is missing"});
  if (settings.create && !settings.seeds.empty()) {
    reader.note({ErrorCode::invalid, "--create and --join exclude each other"});
  }
  if (options.given("id")) {
    const auto id = Id::parse(options.text("id"));
    if (!id) reader.note({ErrorCode::invalid, "--id: " + id.error().message});
    if (id) settings.id = *id;
    if (settings.nodes != 1) reader.note({ErrorCode::invalid, "--id needs --nodes 1"});
  }
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  return settings;
}

control::Json ready_json(Process& process) {
  control::Json nodes = control::Json::array();
  for (std::size_t i = 0; i < process.node_count(); ++i) {
    nodes.push_back({{"id", process.host().node(i).id().hex()},
                     {"endpoint", process.host().address()},
                     {"pid", ::getpid()}});
  }
  return {{"event", "ready"},
          {"control", process.server().endpoints().front()},
          {"nodes", std::move(nodes)}};
}

void announce(Process& process, bool json) {
  if (json) {
    (void)print(ready_json(process));
    return;
  }
  std::string text;
  for (std::size_t i = 0; i < process.node_count(); ++i) {
    text += "node " + process.host().node(i).id().hex() + " is active at " +
            process.host().address() + "\n";
  }
  (void)print_text(text);
}

// SIGINT and SIGTERM as a descriptor: blocked before any thread is made, so that all inherit it.
int signal_descriptor() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

void set_up_log(const std::string& level) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("pastry"));
  spdlog::set_level(spdlog::level::from_str(level == "error" ? "err" : level));
}

Result<Exit> run(const Invocation& invocation) {
  auto settings = read_settings(invocation);
  if (!settings) return tl::unexpected<Error>(settings.error());
  set_up_log(invocation.options.text("log-level"));
  const int signals = signal_descriptor();
  auto opened = Process::open(std::move(*settings));
  if (!opened) return tl::unexpected<Error>(opened.error());
  Process& process = **opened;
  if (const std::string notice = process.host().security_notice(); !notice.empty()) {
    write_error("pastry node: " + notice + "\n");
  }
  process.on_ready = [&] { announce(process, invocation.json); };
  bool stopping = false;
  process.host().watch(signals, ZMQ_POLLIN, [&](short) {
    std::array<signalfd_siginfo, 4> received{};
    if (::read(signals, received.data(), sizeof(received)) <= 0) return;
    if (stopping) std::_Exit(static_cast<int>(Exit::failed));
    stopping = true;
    // A whole cluster that stops is no reason to hand anything over.
    process.stop(process.settings().cluster == 0);
  });
  const auto done = process.run();
  if (!done) return tl::unexpected<Error>(done.error());
  return Exit::done;
}

std::vector<OptionSpec> options() {
  std::vector<OptionSpec> specs{
      {"create", 0, "", "found a new overlay"},
      {"join", 0, "ADDRESS", "tcp://HOST:PORT of a node to join by; repeatable", "", true},
      {"listen", 0, "ADDRESS", "tcp://HOST:PORT; two further ports follow it; PORT 0: any",
       "tcp://127.0.0.1:0"},
      {"advertise", 0, "ADDRESS", "address that others are told (default: the listening one)"},
      {"data", 0, "DIR", "data directory: identity, remembered peers, store"},
      {"nodes", 'n', "V", "nodes in this process", "1"},
      {"domain", 0, "LABEL", "failure domain; copies are spread over domains"},
      {"id", 0, "HEX", "id of a new node (default: random)"},
      {"control", 0, "ADDRESS", "control protocol also on tcp://127.0.0.1:PORT"},
      {"runtime-dir", 0, "DIR", "where running nodes are listed"},
      {"cluster-pid", 0, "PID", "supervisor, if this node belongs to a test cluster", "0"},
  };
  const auto metric = metric_options("where this process stands on the earth, in degrees");
  specs.insert(specs.end(), metric.begin(), metric.end());
  const auto overlay = overlay_options("wan");
  specs.insert(specs.end(), overlay.begin(), overlay.end());
  return specs;
}

}  // namespace

extern const Command kNodeCommand;
const Command kNodeCommand{
    .name = "node",
    .arguments = "(--create|--join ADDRESS) --data DIR",
    .summary = "Founds or joins an overlay: a process of nodes with files and topics.",
    .details =
        "A node that was a member before needs neither --create nor --join: it comes back by "
        "the peers it remembers. --timeout bounds the first join. SIGINT or SIGTERM: it "
        "leaves the ring and ends.",
    .example = "pastry node --create --listen tcp://127.0.0.1:4000 --data /tmp/node0",
    .timeout = "60",
    .options = options(),
    .run = run};

}  // namespace pastry::cli
