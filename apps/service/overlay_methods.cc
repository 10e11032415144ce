// hello, lookup, trace, nearest, ring, status: what a node tells about the overlay.
#include <unistd.h>

#include <utility>

#include "apps/service/census_json.h"
#include "apps/service/methods.h"
#include "apps/service/process.h"
#include "proximity/metric.h"

namespace pastry::service {
namespace {

using control::Call;
using control::Json;

constexpr std::size_t kKeysMax = 4096;
constexpr std::size_t kLookupWindow = 64;
constexpr Duration kDefaultTimeout = seconds(30);
constexpr std::size_t kBlockedMax = 65536;
constexpr std::size_t kNearestDefault = 10;

void hello(Process& process, const std::shared_ptr<Call>& call) {
  Json nodes = Json::array();
  for (std::size_t i = 0; i < process.host().node_count(); ++i) {
    const Node& node = process.host().node(i);
    nodes.push_back({{"id", node.id().hex()},
                     {"active", node.active()},
                     {"endpoint", process.host().address()}});
  }
  call->result({{"kind", "node"},
                {"pid", ::getpid()},
                {"overlay", process.settings().overlay},
                {"leaf_set", process.settings().config.leaf_set},
                {"nodes", std::move(nodes)}});
}

// Some keys looked up at a time; the answers go out in the order of the keys.
struct LookupCall : std::enable_shared_from_this<LookupCall> {
  Process& process;
  std::shared_ptr<Call> call;
  Json params;
  EventQueue events;
  std::vector<Key> keys;
  std::vector<Json> answers;
  std::size_t started = 0;
  std::size_t running = 0;
  std::size_t sent = 0;
  Duration timeout{};

  LookupCall(Process& of, std::shared_ptr<Call> for_call)
      : process(of), call(for_call), events(std::move(for_call)) {}

  void answer(std::size_t index, const Result<LookupResult>& result) {
    Json& event = answers[index];
    if (result) {
      event = {{"key", result->key.hex()},
               {"root", result->root.hex()},
               {"endpoint", result->endpoint},
               {"hops", result->hops}};
    } else {
      event = {{"key", keys[index].hex()},
               {"error", result.error().message},
               {"code", name(result.error().code)}};
    }
    --running;
    for (; sent < keys.size() && !answers[sent].is_null(); ++sent) {
      events.push(std::move(answers[sent]));
      answers[sent] = false;  // gone out
    }
    if (sent == keys.size()) events.finish(Json::object());
  }

  void start_more(Context context, std::size_t node) {
    while (call->open() && started < keys.size() && running < kLookupWindow) {
      const std::size_t index = started++;
      ++running;
      process.stack(node).lookup.lookup(
          context, keys[index], timeout,
          [self = shared_from_this(), index, node](Context later, Result<LookupResult> result) {
            self->answer(index, result);
            self->start_more(later, node);
          });
    }
  }
};

void lookup(Process& process, const std::shared_ptr<Call>& call, const Json& params) {
  auto running = std::make_shared<LookupCall>(process, call);
  const auto keys = params.find("keys");
  if (keys == params.end() || !keys->is_array() || keys->empty() || keys->size() > kKeysMax) {
    return call->error(
        {ErrorCode::invalid, "keys: an array of 1 to " + std::to_string(kKeysMax) + " keys"});
  }
  for (const Json& text : *keys) {
    const auto key = Id::parse(text.is_string() ? text.get<std::string>() : "");
    if (!key) return call->error(key.error());
    running->keys.push_back(*key);
  }
  running->answers.resize(running->keys.size());
  running->timeout = seconds_param(params, "timeout", kDefaultTimeout);
  call->on_credit = [running] { running->events.flush(); };
  on_node(process, call, params,
          [running](Context context, std::size_t node) { running->start_more(context, node); });
}

void trace(Process& process, const std::shared_ptr<Call>& call, const Json& params) {
  const auto key = Id::parse(text_param(params, "key"));
  if (!key) return call->error(key.error());
  const Duration timeout = seconds_param(params, "timeout", kDefaultTimeout);
  on_node(process, call, params, [&process, call, key, timeout](Context context, std::size_t node) {
    process.stack(node).lookup.trace(
        context, *key, timeout,
        [call, key = *key](Context later, Result<std::vector<TraceHop>> path) {
          if (!path) return call->error(path.error());
          Json hops = Json::array();
          for (const TraceHop& hop : *path) {
            const int digits = shared_prefix(hop.id, key, later.config().digit_bits);
            Json delay;
            if (hop.delay) delay = std::chrono::duration<double>(*hop.delay).count();
            hops.push_back({{"id", hop.id.hex()},
                            {"endpoint", hop.endpoint},
                            {"prefix_digits", digits},
                            {"delay", delay}});
          }
          call->result({{"key", key.hex()}, {"path", std::move(hops)}});
        });
  });
}

void census(Process& process, const std::shared_ptr<Call>& call, const Json& params,
            Json (*render)(const Census&)) {
  const Duration timeout = seconds_param(params, "timeout", kDefaultTimeout);
  on_node(process, call, params,
          [&process, call, timeout, render](Context context, std::size_t node) {
            // A census always ends with what it has: leave time to send it.
            process.stack(node).lookup.census(context, timeout * 8 / 10,
                                              [call, render](Context, Result<Census> result) {
                                                if (!result) return call->error(result.error());
                                                call->result(render(*result));
                                              });
          });
}

// Seconds, or the units of a metric that counts something else.
Json::object_t::value_type distance_json(proximity::Proximity distance, bool timed) {
  if (!timed) return {"distance", proximity::units_of(distance)};
  return {"round_trip", std::chrono::duration<double>(distance.round_trip()).count()};
}

// Who is near, from the node's own tables.
void nearest(Process& process, const std::shared_ptr<Call>& call, const Json& params) {
  const auto count = params.find("count");
  const std::size_t most = count != params.end() && count->is_number_unsigned()
                               ? count->get<std::size_t>()
                               : kNearestDefault;
  if (most == 0) return call->error({ErrorCode::invalid, "count: must be at least 1"});
  const bool limited = params.contains("within");
  const Duration limit = seconds_param(params, "within", Duration::zero());
  if (limited && limit == Duration::zero()) {
    return call->error({ErrorCode::invalid, "within: must be a number of seconds above 0"});
  }
  if (limited && process.settings().config.metric != nullptr) {
    return call->error(
        {ErrorCode::invalid,
         "within: the overlay has a metric other than rtt, whose distances are no times"});
  }
  on_node(process, call, params, [call, most, limited, limit](Context context, std::size_t) {
    Json nodes = Json::array();
    const bool timed = context.config().metric == nullptr;
    for (const Neighbour& peer :
         limited ? context.within(proximity::Proximity::from(limit)) : context.nearest(most)) {
      if (nodes.size() == most) break;
      nodes.push_back({{"id", context.id(peer.node).hex()},
                       {"endpoint", endpoint_json(context, peer.node)},
                       distance_json(peer.distance, timed)});
    }
    call->result({{"node", context.self_id().hex()}, {"nodes", std::move(nodes)}});
  });
}

// For test clusters: what the named nodes send is dropped here.
void block(Process& process, const std::shared_ptr<Call>& call, const Json& params) {
  const auto ids = params.find("ids");
  if (ids == params.end() || !ids->is_array() || ids->size() > kBlockedMax) {
    return call->error({ErrorCode::invalid, "ids: a list of node ids is missing"});
  }
  std::vector<NodeId> senders;
  for (const Json& id : *ids) {
    const auto parsed = Id::parse(id.is_string() ? id.get<std::string>() : "");
    if (!parsed) return call->error(parsed.error());
    senders.push_back(*parsed);
  }
  process.host().block(senders);
  call->result({{"blocked", senders.size()}});
}

}  // namespace

void add_overlay_methods(Process& process) {
  control::Server& server = process.server();
  server.add_method("hello", [&process](const auto& call, const Json&) { hello(process, call); });
  server.add_method("lookup", [&process](const auto& call, const Json& params) {
    lookup(process, call, params);
  });
  server.add_method(
      "trace", [&process](const auto& call, const Json& params) { trace(process, call, params); });
  server.add_method("nearest", [&process](const auto& call, const Json& params) {
    nearest(process, call, params);
  });
  server.add_method("ring", [&process](const auto& call, const Json& params) {
    census(process, call, params, ring_json);
  });
  server.add_method(
      "block", [&process](const auto& call, const Json& params) { block(process, call, params); });
  server.add_method("status", [&process](const auto& call, const Json& params) {
    census(process, call, params, status_json);
  });
}

}  // namespace pastry::service
