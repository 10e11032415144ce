#include "apps/control/protocol.h"

#include <array>
#include <utility>

namespace pastry::control {
namespace {

constexpr std::array<std::pair<Type, std::string_view>, 8> kTypes{{
    {Type::call, "call"},
    {Type::data, "data"},
    {Type::credit, "credit"},
    {Type::cancel, "cancel"},
    {Type::result, "result"},
    {Type::error, "error"},
    {Type::event, "event"},
    {Type::ping, "ping"},
}};

constexpr std::array<ErrorCode, 11> kCodes{
    ErrorCode::failed,    ErrorCode::invalid,  ErrorCode::not_found,    ErrorCode::unavailable,
    ErrorCode::timed_out, ErrorCode::refused,  ErrorCode::too_large,    ErrorCode::full,
    ErrorCode::corrupt,   ErrorCode::conflict, ErrorCode::incompatible,
};

tl::unexpected<Error> malformed(const std::string& what) {
  return fail(ErrorCode::invalid, "malformed control message: " + what);
}

std::optional<std::uint64_t> unsigned_field(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

std::optional<std::string> text_field(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

bool too_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kHeaderDepthMax) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

// The object under `name`; an empty one if it is missing.
Result<Json> body_field(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return Json::object();
  if (!found->is_object()) return malformed(std::string(name) + " is not an object");
  return *found;
}

Result<void> read_fields(const Json& object, Header& header) {
  const char* body = header.type == Type::call     ? "params"
                     : header.type == Type::result ? "result"
                     : header.type == Type::event  ? "event"
                                                   : nullptr;
  if (body != nullptr) {
    Result<Json> value = body_field(object, body);
    if (!value) return tl::unexpected<Error>(value.error());
    header.body = std::move(*value);
  }
  if (header.type == Type::call) {
    const auto method = text_field(object, "method");
    if (!method) return malformed("no method");
    header.method = *method;
    header.credit = unsigned_field(object, "credit").value_or(0);
  } else if (header.type == Type::credit) {
    const auto bytes = unsigned_field(object, "credit");
    if (!bytes) return malformed("no credit");
    header.credit = *bytes;
  } else if (header.type == Type::data) {
    const auto end = object.find("end");
    header.end = end != object.end() && end->is_boolean() && end->get<bool>();
  } else if (header.type == Type::error) {
    const auto code = error_code(text_field(object, "code").value_or(""));
    header.error = {code.value_or(ErrorCode::failed), text_field(object, "error").value_or("")};
  }
  return {};
}

}  // namespace

std::optional<ErrorCode> error_code(std::string_view name) {
  for (const ErrorCode code : kCodes) {
    if (pastry::name(code) == name) return code;
  }
  return std::nullopt;
}

std::string encode(const Header& header) {
  Json object{{"v", kVersion}, {"call", header.call}};
  for (const auto& [type, name] : kTypes) {
    if (type == header.type) object["type"] = name;
  }
  switch (header.type) {
    case Type::call:
      object["method"] = header.method;
      object["params"] = header.body.is_object() ? header.body : Json::object();
      object["credit"] = header.credit;
      break;
    case Type::data:
      if (header.end) object["end"] = true;
      break;
    case Type::credit:
      object["credit"] = header.credit;
      break;
    case Type::result:
      object["result"] = header.body.is_object() ? header.body : Json::object();
      break;
    case Type::event:
      object["event"] = header.body.is_object() ? header.body : Json::object();
      break;
    case Type::error:
      object["error"] = header.error.message;
      object["code"] = name(header.error.code);
      break;
    case Type::cancel:
    case Type::ping:
      break;
  }
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Header> decode(std::string_view text, CallId& call) {
  call = 0;
  if (text.size() > kHeaderMax) return fail(ErrorCode::too_large, "control header too large");
  if (too_deep(text)) return malformed("nested too deeply");
  const Json object = Json::parse(text, nullptr, false);
  if (!object.is_object()) return malformed("not a JSON object");
  call = unsigned_field(object, "call").value_or(0);
  const auto version = unsigned_field(object, "v");
  if (!version) return malformed("no version");
  if (*version != kVersion) {
    return fail(ErrorCode::incompatible, "control protocol version " + std::to_string(*version) +
                                             " is not spoken here; version " +
                                             std::to_string(kVersion) + " is");
  }
  const auto type_name = text_field(object, "type");
  if (!type_name) return malformed("no type");
  for (const auto& [type, name] : kTypes) {
    if (name != *type_name) continue;
    Header header;
    header.type = type;
    header.call = call;
    if (auto read = read_fields(object, header); !read) return tl::unexpected<Error>(read.error());
    return header;
  }
  return malformed("unknown type");
}

}  // namespace pastry::control
