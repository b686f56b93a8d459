#include "host/control/rpc.hpp"

#include <utility>
#include <vector>

namespace sluice::control {
namespace {

using graph::Value;

Value envelope(const Value& id) {
  Value response = Value::object();
  response.set("jsonrpc", "2.0");
  response.set("id", id);
  return response;
}

Value error_response(const Value& id, const RpcError& error) {
  Value response = envelope(id);
  Value object = Value::object();
  object.set("code", error.code);
  object.set("message", error.message);
  response.set("error", std::move(object));
  return response;
}

bool is_valid_id(const Value& id) { return id.is_null() || id.is_number() || id.is_text(); }

}  // namespace

RpcError to_rpc(const support::Error& error) {
  return {kFirstOwnCode - static_cast<int>(error.code), error.message};
}

std::vector<std::string> Rpc::names() const {
  std::vector<std::string> names;
  for (const auto& [name, method] : methods_) names.push_back(name);
  return names;
}

void Rpc::call(const Value& request, const Caller& caller,
               const std::function<void(std::optional<Value>)>& done) const {
  if (!request.is_object()) {
    return done(error_response({}, {kInvalidRequest, "A request is an object."}));
  }
  const Value* given_id = request.find("id");
  const Value id = given_id && is_valid_id(*given_id) ? *given_id : Value();
  const Value* version = request.find("jsonrpc");
  const Value* name = request.find("method");
  if (!version || !version->is_text() || version->text() != "2.0" || !name || !name->is_text() ||
      (given_id && !is_valid_id(*given_id))) {
    return done(error_response(
        id, {kInvalidRequest,
             "A request is {\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"NAME\", \"params\": "
             "{...}}."}));
  }
  const bool is_notification = given_id == nullptr;
  const auto answer = [done, id, is_notification](RpcResult result) {
    if (is_notification) return done(std::nullopt);
    if (const auto* error = std::get_if<RpcError>(&result)) return done(error_response(id, *error));
    Value response = envelope(id);
    response.set("result", std::get<Value>(std::move(result)));
    done(std::move(response));
  };
  const auto method = methods_.find(name->text());
  if (method == methods_.end()) {
    return answer(RpcError{kMethodNotFound,
                           "There is no method \"" + name->text() + "\"; \"methods\" lists them."});
  }
  const Value* params = request.find("params");
  const Value none = Value::object();
  if (params && !params->is_object()) {
    return answer(RpcError{kInvalidParams, "\"params\" is an object of named values."});
  }
  method->second(params ? *params : none, caller, answer);
}

void Rpc::handle(const std::optional<Value>& message, const Caller& caller,
                 const std::function<void(std::string)>& send) const {
  const auto refuse = [&](int code, const char* sentence) {
    send(graph::to_json(error_response({}, {code, sentence})));
  };
  if (!message) return refuse(kParseError, "The message is no JSON, or is nested too deeply.");
  if (!message->is_array()) {
    return call(*message, caller, [send](std::optional<Value> response) {
      send(response ? graph::to_json(*response) : std::string());
    });
  }
  const auto& requests = message->elements();
  if (requests.empty()) return refuse(kInvalidRequest, "A batch holds at least one request.");
  if (requests.size() > kMostInBatch) {
    return refuse(kInvalidRequest, "A batch holds at most 100 requests; send several.");
  }
  // Answers in the order of the requests, sent when the last is there.
  struct Batch {
    std::vector<std::optional<Value>> responses;
    size_t missing = 0;
  };
  const auto batch = std::make_shared<Batch>();
  batch->responses.resize(requests.size());
  batch->missing = requests.size();
  for (size_t i = 0; i < requests.size(); ++i) {
    call(requests[i], caller, [batch, i, send](std::optional<Value> response) {
      batch->responses[i] = std::move(response);
      if (--batch->missing != 0) return;
      Value all = Value::array();
      for (auto& one : batch->responses) {
        if (one) all.push_back(*std::move(one));
      }
      send(all.elements().empty() ? std::string() : graph::to_json(all));
    });
  }
}

std::string notification(std::string_view method, Value params) {
  Value message = Value::object();
  message.set("jsonrpc", "2.0");
  message.set("method", method);
  message.set("params", std::move(params));
  return graph::to_json(message);
}

}  // namespace sluice::control
