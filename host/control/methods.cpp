// The methods of the control API.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "host/control/control.hpp"
#include "host/graph/json_text.hpp"
#include "host/session/statistics.hpp"
#include "host/support/nearest_name.hpp"

namespace sluice::control {
namespace {

using graph::Value;
using session::ChangeRequest;
using session::ChangeResult;
using support::ErrorCode;

std::string text_of(const Value& params, std::string_view key) {
  const Value* value = params.find(key);
  return value && value->is_text() ? value->text() : std::string();
}

bool flag_of(const Value& params, std::string_view key) {
  const Value* value = params.find(key);
  return value && value->is_bool() && value->boolean();
}

// An operation of session/edits.hpp made of a method's parameters.
Value operation(const char* op, const Value& params) {
  Value all = Value::object();
  all.set("op", op);
  for (const graph::Member& member : params.members()) {
    if (member.key != "op") all.set(member.key, member.value);
  }
  return all;
}

Value list_of(const std::vector<std::string>& texts) {
  Value all = Value::array();
  for (const std::string& text : texts) all.push_back(text);
  return all;
}

}  // namespace

void Control::change(ChangeRequest request, const Value& params, const Caller& caller,
                     const Reply& reply) {
  request.is_dry_run = flag_of(params, "dry_run");
  if (const Value* version = params.find("if_version"); version && version->is_integer()) {
    request.if_version = static_cast<uint64_t>(version->integer());
  }
  request.origin =
      caller.connection == 0 ? "signal" : "connection " + std::to_string(caller.connection);
  session_.change(std::move(request), [reply](const ChangeResult& result) {
    if (!result.status.ok()) return reply(to_rpc(result.status.error()));
    Value answer = Value::object();
    answer.set("version", static_cast<int64_t>(result.version));
    answer.set("steps", list_of(result.steps));
    answer.set("plan", result.plan);
    reply(std::move(answer));
  });
}

// Lists them, takes one, writes one or takes one out of the file.
void Control::profile(const Value& params, const Caller& caller, const Reply& reply) {
  if (!options_.profiles) {
    return reply(RpcError{kFirstOwnCode - static_cast<int>(ErrorCode::kState),
                          "The graph came from the command line: profiles stand in a file."});
  }
  for (const char* key : {"name", "save", "delete"}) {
    const Value* name = params.find(key);
    if (!name) continue;
    if (!name->is_text() || name->text().empty()) {
      return reply(
          RpcError{kInvalidParams, "\"" + std::string(key) + "\" is the name of a profile."});
    }
    if (key == std::string_view("name")) {
      auto request = options_.take_profile(name->text());
      if (!request) return reply(to_rpc(request.error()));
      return change(*std::move(request), params, caller, reply);
    }
    const bool is_saved = key == std::string_view("save");
    auto file =
        is_saved ? options_.save_profile(name->text()) : options_.delete_profile(name->text());
    if (!file) return reply(to_rpc(file.error()));
    Value answer = Value::object();
    answer.set("file", *file);
    return reply(std::move(answer));
  }
  auto known = options_.profiles();
  if (!known) return reply(to_rpc(known.error()));
  reply(*std::move(known));
}

void Control::add_changes() {
  for (const char* op : {"connect", "disconnect", "add", "remove"}) {
    rpc_.add(op, [this, op](const Value& params, const Caller& caller, const Reply& reply) {
      ChangeRequest request;
      request.operations.push_back(operation(op, params));
      change(std::move(request), params, caller, reply);
    });
  }
  rpc_.add("set", [this](const Value& params, const Caller& caller, const Reply& reply) {
    ChangeRequest request;
    if (const Value* values = params.find("values"); values && values->is_object()) {
      for (const graph::Member& member : values->members()) {
        Value one = Value::object();
        one.set("op", "set");
        one.set("target", member.key);
        one.set("value", member.value);
        request.operations.push_back(std::move(one));
      }
    } else {
      request.operations.push_back(operation("set", params));
    }
    change(std::move(request), params, caller, reply);
  });
  rpc_.add("route", [this](const Value& params, const Caller& caller, const Reply& reply) {
    if (!params.find("route")) {
      Value answer = Value::object();
      answer.set("routes", routes());
      return reply(std::move(answer));
    }
    ChangeRequest request;
    request.operations.push_back(operation("route", params));
    change(std::move(request), params, caller, reply);
  });
  rpc_.add("undo", [this](const Value& params, const Caller& caller, const Reply& reply) {
    ChangeRequest request;
    request.is_undo = true;
    change(std::move(request), params, caller, reply);
  });
  rpc_.add("change", [this](const Value& params, const Caller& caller, const Reply& reply) {
    ChangeRequest request;
    const Value* operations = params.find("operations");
    const Value* patch = params.find("patch");
    const Value* document = params.find("document");
    const int given = (operations ? 1 : 0) + (patch ? 1 : 0) + (document ? 1 : 0);
    if (given != 1 || (operations && !operations->is_array())) {
      return reply(RpcError{kInvalidParams,
                            "A change is made of one of \"operations\" (a list), "
                            "\"patch\" (RFC 6902) and \"document\" (a graph)."});
    }
    if (operations) request.operations = operations->elements();
    if (patch) request.patch = *patch;
    if (document) request.document = *document;
    change(std::move(request), params, caller, reply);
  });
  rpc_.add("reload", [this](const Value& params, const Caller& caller, const Reply& reply) {
    if (!options_.reload) {
      return reply(RpcError{kFirstOwnCode - static_cast<int>(ErrorCode::kState),
                            "The graph came from the command line: there is no file to reload."});
    }
    auto request = options_.reload();
    if (!request) return reply(to_rpc(request.error()));
    change(*std::move(request), params, caller, reply);
  });
  rpc_.add("profile", [this](const Value& params, const Caller& caller, const Reply& reply) {
    profile(params, caller, reply);
  });
}

void Control::add_methods() {
  rpc_.add("methods", [this](const Value&, const Caller&, const Reply& reply) {
    Value answer = Value::object();
    answer.set("methods", list_of(rpc_.names()));
    reply(std::move(answer));
  });
  rpc_.add("status", [this](const Value&, const Caller&, const Reply& reply) { reply(status()); });
  rpc_.add("document", [this](const Value&, const Caller&, const Reply& reply) {
    Value answer = Value::object();
    answer.set("version", static_cast<int64_t>(session_.version()));
    answer.set("document", graph::to_normal_json(session_.document()));
    reply(std::move(answer));
  });
  rpc_.add("diff", [this](const Value&, const Caller&, const Reply& reply) {
    using Json = nlohmann::ordered_json;
    const auto& first = session_.first_document();
    const auto& now = session_.document();
    const auto steps = session::steps_between(first, now, session_.types());
    const auto to_nlohmann = [](const graph::Document& document) {
      return Json::parse(graph::to_json(graph::to_normal_json(document)), nullptr, false);
    };
    const Json patch = Json::diff(to_nlohmann(first), to_nlohmann(now));
    Value answer = Value::object();
    answer.set("steps", list_of(steps));
    answer.set("patch", graph::parse_json_value(patch.dump()).value_or(Value::array()));
    reply(std::move(answer));
  });
  rpc_.add("save", [this](const Value&, const Caller&, const Reply& reply) {
    if (!options_.save) {
      return reply(RpcError{kFirstOwnCode - static_cast<int>(ErrorCode::kState),
                            "The graph came from the command line: there is no file to save to."});
    }
    auto saved = options_.save();
    if (!saved) return reply(to_rpc(saved.error()));
    Value answer = Value::object();
    answer.set("file", *saved);
    reply(std::move(answer));
  });
  rpc_.add("reconnect", [this](const Value& params, const Caller&, const Reply& reply) {
    const std::string id = text_of(params, "node");
    std::vector<std::string_view> names;
    for (engine::Node* node : session_.player().engine().nodes()) {
      if (node->id() != id) {
        names.push_back(node->id());
        continue;
      }
      const auto status = node->retry();
      return reply(status ? RpcResult(Value::object()) : to_rpc(status.error()));
    }
    const std::string help = support::did_you_mean(id, names);
    reply(to_rpc({ErrorCode::kNotFound, "There is no node " + id + (help.empty() ? "." : help)}));
  });
  rpc_.add("why", [this](const Value& params, const Caller&, const Reply& reply) {
    const std::string of = text_of(params, "of");
    Value answer = Value::object();
    answer.set("glitches", glitches_.about(of));
    // What has glitches may be gone already.
    const engine::Engine& engine = session_.player().engine();
    const bool is_there =
        of.empty() || !answer.find("glitches")->elements().empty() || engine.find(of) ||
        session_.document().find_node(of) ||
        std::any_of(engine.edges().begin(), engine.edges().end(),
                    [&](const auto& edge) { return session::key_of(*edge) == of; });
    if (!is_there) {
      return reply(to_rpc({ErrorCode::kNotFound, "There is no node or edge " + of +
                                                     "; 'sluice status' shows those there are."}));
    }
    reply(std::move(answer));
  });
  rpc_.add("metrics", [this](const Value&, const Caller&, const Reply& reply) {
    Value answer = Value::object();
    answer.set("text", metrics(MetricsFormat::kPrometheus));
    reply(std::move(answer));
  });
  rpc_.add("subscribe", [this](const Value& params, const Caller& caller, const Reply& reply) {
    reply(subscribe(params, caller));
  });
  rpc_.add("unsubscribe", [this](const Value& params, const Caller& caller, const Reply& reply) {
    const Value* id = params.find("subscription");
    const auto found = id && id->is_integer()
                           ? subscriptions_.find(static_cast<uint64_t>(id->integer()))
                           : subscriptions_.end();
    const bool was_there =
        found != subscriptions_.end() && found->second.connection == caller.connection;
    if (was_there) subscriptions_.erase(found);
    Value answer = Value::object();
    answer.set("was_there", was_there);
    reply(std::move(answer));
  });
}

}  // namespace sluice::control
