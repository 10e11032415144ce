#include "apps/service/methods.h"

#include <algorithm>
#include <utility>

#include "apps/service/process.h"
#include "pastry/core/application_ids.h"

namespace pastry::service {

using control::Call;
using control::Json;

void add_methods(Process& process) {
  add_overlay_methods(process);
  add_file_methods(process);
  add_topic_methods(process);
}

void on_node(Process& process, const std::shared_ptr<Call>& call, const Json& params,
             std::function<void(Context, std::size_t)> action) {
  const auto index = process.choose_node(params);
  if (!index) return call->error(index.error());
  process.host().run_on_node(
      *index, kLookupApplication,
      [action = std::move(action), index = *index](Context context) { action(context, index); });
}

void EventQueue::push(Json event, Payload data) {
  waiting_.push_back({std::move(event), std::move(data)});
  flush();
}

void EventQueue::flush() {
  while (!waiting_.empty()) {
    if (!call_->event(waiting_.front().event, waiting_.front().data)) return;
    waiting_.pop_front();
  }
  if (finished_) call_->result(std::move(result_));
}

void EventQueue::finish(Json result) {
  finished_ = true;
  result_ = std::move(result);
  flush();
}

Duration seconds_param(const Json& params, const char* name, Duration fallback) {
  constexpr double kLongestSeconds = 1e8;
  const auto found = params.find(name);
  if (found == params.end() || !found->is_number()) return fallback;
  const double value = found->get<double>();
  if (!(value > 0) || value > kLongestSeconds) return fallback;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
}

std::string text_param(const Json& params, const char* name) {
  const auto found = params.find(name);
  return found != params.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json endpoint_json(Context context, Handle node) {
  if (!context.directory().valid(node)) return nullptr;
  const auto& addresses = context.directory().host(node).addresses;
  return addresses.empty() ? Json() : Json(addresses.front());
}

}  // namespace pastry::service
