// put, get, rm, where: files over the control protocol, in constant memory.
#include <cctype>
#include <deque>
#include <utility>

#include "apps/service/methods.h"
#include "apps/service/process.h"
#include "pastry/core/application_ids.h"

namespace pastry::service {
namespace {

using control::Call;
using control::Json;

// Bytes of an upload that the client may have under way; also what waits here at most.
constexpr std::uint64_t kUploadCredit = 4U << 20;

Result<past::FileId> file_param(const Json& params) {
  return past::FileId::parse(text_param(params, "file_id"));
}

Json holder_json(Context context, const replica::Holder& holder) {
  return {{"id", holder.id.hex()},
          {"endpoint", endpoint_json(context, holder.node)},
          {"distance_rank", holder.distance_rank},
          {"state", replica::name(holder.state)}};
}

// --- put ---

// An upload on its way from the client into PAST.
class Upload : public std::enable_shared_from_this<Upload> {
 public:
  Upload(Process& process, std::shared_ptr<Call> call, std::size_t node)
      : process_(process), call_(std::move(call)), node_(node) {}

  void start(Context context, past::NewFile file) {
    past::PutEvents events;
    events.writable = [self = shared_from_this()](Context later) {
      self->blocked_ = false;
      self->pump(later);
    };
    events.done = [self = shared_from_this()](Context, Result<past::PutResult> result) {
      self->finish(result);
    };
    const auto put = past().begin_put(context, std::move(file), std::move(events));
    if (!put) return call_->error(put.error());
    put_ = *put;
    started_ = true;
    call_->on_data = [self = shared_from_this()](Payload piece, bool end) {
      self->pieces_.push_back(std::move(piece));
      self->ended_ = end;
      self->on_loop([self](Context later) { self->pump(later); });
    };
    call_->on_closed = [self = shared_from_this()] {
      self->on_loop([self](Context later) { self->abort(later); });
    };
    call_->grant(kUploadCredit);
  }

 private:
  past::Past& past() { return process_.stack(node_).past; }

  void on_loop(std::function<void(Context)> action) {
    process_.host().run_on_node(node_, kLookupApplication, std::move(action));
  }

  void pump(Context context) {
    while (started_ && !over_ && !blocked_ && !pieces_.empty()) {
      const Payload piece = std::move(pieces_.front());
      pieces_.pop_front();
      if (!piece.empty()) {
        const auto more = past().write(context, put_, piece);
        if (!more) return;  // done() tells why
        blocked_ = !*more;
      }
      call_->grant(std::max<std::uint64_t>(piece.size(), control::kMessageCost));
    }
    if (started_ && !over_ && ended_ && pieces_.empty() && !std::exchange(finished_, true)) {
      (void)past().finish(context, put_);
    }
  }

  void finish(const Result<past::PutResult>& result) {
    over_ = true;
    pieces_.clear();
    if (!result) return call_->error(result.error());
    call_->result({{"file_id", result->file_id.hex()},
                   {"size", result->size},
                   {"copies", result->copies},
                   {"wanted", result->wanted}});
  }

  void abort(Context context) {
    if (std::exchange(over_, true)) return;
    pieces_.clear();
    past().abort(context, put_);
  }

  Process& process_;
  std::shared_ptr<Call> call_;
  std::size_t node_;
  past::PutId put_ = 0;
  std::deque<Payload> pieces_;
  bool started_ = false;
  bool blocked_ = false;
  bool ended_ = false;
  bool finished_ = false;
  bool over_ = false;
};

// Of the time for which a client waits without progress: it should hear why rather than give up.
Duration patience(const Json& params) {
  return seconds_param(params, "timeout", Duration::zero()) * 8 / 10;
}

Result<past::NewFile> new_file(const Json& params) {
  past::NewFile file;
  file.patience = patience(params);
  file.name = text_param(params, "name");
  const std::string owner = text_param(params, "owner");
  if (!owner.empty()) {
    const auto key = StoreName::parse(owner);
    if (!key) return fail(ErrorCode::invalid, "owner: 64 hexadecimal digits");
    file.owner.assign(key->bytes.begin(), key->bytes.end());
  }
  const auto number = [&](const char* name) -> std::optional<std::int64_t> {
    const auto found = params.find(name);
    if (found == params.end() || !found->is_number_integer()) return std::nullopt;
    return found->get<std::int64_t>();
  };
  constexpr std::int64_t kCopiesMax = 1024;
  file.k = static_cast<int>(std::clamp<std::int64_t>(number("k").value_or(3), -1, kCopiesMax));
  file.at_least =
      static_cast<int>(std::clamp<std::int64_t>(number("at_least").value_or(0), -1, kCopiesMax));
  if (const auto size = number("size"); size && *size >= 0) {
    file.size = static_cast<std::uint64_t>(*size);
  }
  return file;
}

void put(Process& process, const std::shared_ptr<Call>& call, const Json& params) {
  auto file = new_file(params);
  if (!file) return call->error(file.error());
  on_node(process, call, params,
          [&process, call, file = std::move(*file)](Context context, std::size_t node) {
            std::make_shared<Upload>(process, call, node)->start(context, file);
          });
}

// --- get ---

class Download : public std::enable_shared_from_this<Download> {
 public:
  Download(Process& process, std::shared_ptr<Call> call, std::size_t node)
      : process_(process), call_(std::move(call)), node_(node) {}

  void start(Context context, const past::FileId& file, past::Range range) {
    call_->on_credit = [self = shared_from_this()] {
      self->on_loop([self](Context later) { self->pump(later); });
    };
    call_->on_closed = [self = shared_from_this()] {
      self->on_loop([self](Context later) { self->abort(later); });
    };
    past().open(context, file,
                [self = shared_from_this(), range](Context later, Result<past::FileInfo> info) {
                  self->opened(later, std::move(info), range);
                });
  }

 private:
  past::Past& past() { return process_.stack(node_).past; }

  void on_loop(std::function<void(Context)> action) {
    process_.host().run_on_node(node_, kLookupApplication, std::move(action));
  }

  void opened(Context context, Result<past::FileInfo> info, past::Range range) {
    if (!call_->open()) return;
    if (!info) return call_->error(info.error());
    size_ = info->size;
    if (!call_->event({{"event", "file"},
                       {"file_id", info->file_id.hex()},
                       {"name", info->name},
                       {"size", info->size},
                       {"wanted", info->wanted}})) {
      return call_->error({ErrorCode::invalid, "get needs credit with the call"});
    }
    past::ReadEvents events;
    events.block = [self = shared_from_this()](Context later, Payload bytes) {
      self->pieces_.push_back(std::move(bytes));
      self->pump(later);
    };
    events.done = [self = shared_from_this()](Context later, Result<void> done) {
      self->over_ = true;
      if (!done) return self->call_->error(done.error());
      self->pump(later);
    };
    const auto read = past().read(context, *info, range, std::move(events));
    if (!read) return call_->error(read.error());
    read_ = *read;
    reading_ = true;
  }

  void pump(Context context) {
    while (!pieces_.empty() && call_->open()) {
      if (!call_->data(pieces_.front(), false)) return;
      sent_ += pieces_.front().size();
      pieces_.pop_front();
      if (!over_) past().consumed(context, read_);
    }
    if (over_ && pieces_.empty()) call_->result({{"size", size_}, {"sent", sent_}});
  }

  void abort(Context context) {
    pieces_.clear();
    if (reading_ && !std::exchange(over_, true)) past().cancel(context, read_);
  }

  Process& process_;
  std::shared_ptr<Call> call_;
  std::size_t node_;
  past::ReadId read_ = 0;
  std::deque<Payload> pieces_;  // at most PAST's window
  std::uint64_t size_ = 0;
  std::uint64_t sent_ = 0;
  bool reading_ = false;
  bool over_ = false;
};

void get(Process& process, const std::shared_ptr<Call>& call, const Json& params) {
  const auto file = file_param(params);
  if (!file) return call->error(file.error());
  past::Range range;
  const auto number = [&](const char* name, std::uint64_t& value) {
    const auto found = params.find(name);
    if (found != params.end() && found->is_number_unsigned()) value = found->get<std::uint64_t>();
  };
  number("offset", range.offset);
  number("length", range.length);
  on_node(process, call, params, [&process, call, file, range](Context context, std::size_t node) {
    std::make_shared<Download>(process, call, node)->start(context, *file, range);
  });
}

// --- rm, where ---

void rm(Process& process, const std::shared_ptr<Call>& call, const Json& params) {
  const auto file = file_param(params);
  if (!file) return call->error(file.error());
  on_node(process, call, params, [&process, call, file](Context context, std::size_t node) {
    process.stack(node).past.remove(context, *file, [call](Context, Result<past::PutResult> done) {
      if (!done) return call->error(done.error());
      call->result({{"file_id", done->file_id.hex()},
                    {"size", done->size},
                    {"copies", done->copies},
                    {"wanted", done->wanted}});
    });
  });
}

void where(Process& process, const std::shared_ptr<Call>& call, const Json& params) {
  const auto file = file_param(params);
  if (!file) return call->error(file.error());
  on_node(process, call, params, [&process, call, file](Context context, std::size_t node) {
    process.stack(node).past.where(context, *file,
                                   [call, file](Context later, Result<replica::Whereabouts> found) {
                                     if (!found) return call->error(found.error());
                                     Json holders = Json::array();
                                     for (const replica::Holder& holder : found->holders) {
                                       holders.push_back(holder_json(later, holder));
                                     }
                                     call->result({{"file_id", file->hex()},
                                                   {"wanted", found->wanted},
                                                   {"copies", found->copies},
                                                   {"holders", std::move(holders)}});
                                   });
  });
}

}  // namespace

void add_file_methods(Process& process) {
  control::Server& server = process.server();
  const auto add = [&](const char* name, auto method) {
    server.add_method(name, [&process, method](const auto& call, const Json& params) {
      method(process, call, params);
    });
  };
  add("put", put);
  add("get", get);
  add("rm", rm);
  add("where", where);
}

}  // namespace pastry::service
