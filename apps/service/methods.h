// What a node process answers over the control protocol (docs/control-protocol.md lists it).
#pragma once

#include <deque>
#include <memory>

#include "apps/control/server.h"
#include "pastry/core/application.h"

namespace pastry::service {

class Process;

// All of them.
void add_methods(Process& process);

void add_overlay_methods(Process& process);  // hello, lookup, trace, nearest, ring, status, block
void add_file_methods(Process& process);     // put, get, rm, where
void add_topic_methods(Process& process);    // pub, sub, topic

// Runs `action(Context, stack index)` on the node that the call's parameters choose; answers the
// call with an error if there is none.
void on_node(Process& process, const std::shared_ptr<control::Call>& call,
             const control::Json& params, std::function<void(Context, std::size_t)> action);

// Events that wait for the client's credit, in order. Bounded by who fills it.
class EventQueue {
 public:
  explicit EventQueue(std::shared_ptr<control::Call> call) : call_(std::move(call)) {}

  void push(control::Json event, Payload data = {});
  // Sends what the credit allows; call it from Call::on_credit.
  void flush();
  // The call's result, once everything before it was sent.
  void finish(control::Json result);
  bool empty() const { return waiting_.empty(); }

 private:
  struct Waiting {
    control::Json event;
    Payload data;
  };
  std::shared_ptr<control::Call> call_;
  std::deque<Waiting> waiting_;
  bool finished_ = false;
  control::Json result_;
};

// A parameter as a number of seconds; `fallback` if it is missing or out of range.
Duration seconds_param(const control::Json& params, const char* name, Duration fallback);
std::string text_param(const control::Json& params, const char* name);

// The advertised address of a peer, or null.
control::Json endpoint_json(Context context, Handle node);

}  // namespace pastry::service
