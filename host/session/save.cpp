#include "host/session/save.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "host/graph/diagnostic.hpp"
#include "host/graph/edit.hpp"
#include "host/graph/json_text.hpp"
#include "host/session/edits.hpp"
#include "host/session/member_of.hpp"

namespace sluice::session {
namespace {

using graph::Value;
using support::Error;
using support::ErrorCode;
using support::Result;
using support::Status;

std::string pointer(std::initializer_list<std::string_view> tokens) {
  std::string all;
  for (const std::string_view token : tokens) all = graph::pointer_to(all, token);
  return all;
}

class Writer {
 public:
  Writer(std::string_view text, const Value& before, const Value& after,
         const graph::Catalog& types)
      : text_(text), before_(before), after_(after), types_(types) {}

  Result<std::string> run() {
    if (auto status = write_head(); !status) return std::move(status).error();
    if (auto status = write_nodes(); !status) return std::move(status).error();
    if (auto status = write_edges(); !status) return std::move(status).error();
    if (auto status = write_switches(); !status) return std::move(status).error();
    return text_;
  }

 private:
  Value tree() const { return graph::parse_json_value(text_).value_or(Value::object()); }

  Status take(Result<std::string> changed, const std::string& what) {
    if (!changed) {
      return Error{ErrorCode::kState, what + " cannot be written in place (" +
                                          changed.error().message +
                                          "); does it stand in an included file?"};
    }
    text_ = *std::move(changed);
    return {};
  }

  Status write_head() {
    for (const char* key : {"name", "description", "latency_budget_ms"}) {
      const Value* now = after_.find(key);
      const Value* old = before_.find(key);
      if (!now || (old && *old == *now)) continue;
      auto status = take(graph::set_value(text_, pointer({key}), graph::to_json(*now)), key);
      if (!status) return status;
    }
    return {};
  }

  Status write_nodes() {
    const Value& old_nodes = member(before_, "nodes");
    const Value& new_nodes = member(after_, "nodes");
    for (const graph::Member& old : old_nodes.members()) {
      if (new_nodes.find(old.key)) continue;
      auto status = take(graph::remove_value(text_, pointer({"nodes", old.key})), old.key);
      if (!status) return status;
    }
    for (const graph::Member& now : new_nodes.members()) {
      const Value* old = old_nodes.find(now.key);
      if (old && *old == now.value) continue;
      auto status = old ? write_node(now.key, *old, now.value) : add_node(now.key, now.value);
      if (!status) return status;
    }
    return {};
  }

  const graph::Parameter* parameter(const Value& node, const std::string& key) const {
    const Value& type = member(node, "type");
    const graph::NodeType* known = type.is_text() ? types_.find(type.text()) : nullptr;
    return known ? known->find_parameter(key) : nullptr;
  }

  // A new node says what differs from its type's defaults.
  Status add_node(const std::string& id, const Value& node) {
    Value short_node = Value::object();
    for (const graph::Member& one : node.members()) {
      if (one.key != "params") short_node.set(one.key, one.value);
    }
    Value params = Value::object();
    for (const graph::Member& one : member(node, "params").members()) {
      const graph::Parameter* declared = parameter(node, one.key);
      if (declared && declared->secret) return refuse_secret(id + "." + one.key);
      const bool is_default = declared && !declared->required &&
                              graph::to_value(graph::default_value(*declared)) == one.value;
      if (!is_default) params.set(one.key, one.value);
    }
    if (!params.members().empty()) short_node.set("params", std::move(params));
    return take(graph::insert_member(text_, "/nodes", id, graph::to_json(short_node)), id);
  }

  static Status refuse_secret(const std::string& what) {
    return Error{ErrorCode::kPermission,
                 what + " is a secret and is never written; put ${env:NAME} there by hand."};
  }

  Status write_node(const std::string& id, const Value& old, const Value& now) {
    const Value shown = tree();
    const bool is_short = member(member(shown, "nodes"), id).is_text();
    if (is_short) {
      const Value type = member(member(shown, "nodes"), id);
      Value whole = Value::object();
      whole.set("type", type);
      auto status =
          take(graph::replace_value(text_, pointer({"nodes", id}), graph::to_json(whole)), id);
      if (!status) return status;
    }
    for (const char* key : {"type", "description", "isolate", "standby", "adapt"}) {
      const Value* was = old.find(key);
      const Value* is = now.find(key);
      if ((was == nullptr) == (is == nullptr) && (!is || *was == *is)) continue;
      const std::string at = pointer({"nodes", id, key});
      auto status = take(
          is ? graph::set_value(text_, at, graph::to_json(*is)) : graph::remove_value(text_, at),
          id + "'s " + key);
      if (!status) return status;
    }
    const Value& old_params = member(old, "params");
    for (const graph::Member& one : member(now, "params").members()) {
      const Value* was = old_params.find(one.key);
      if (was && *was == one.value) continue;
      const graph::Parameter* declared = parameter(now, one.key);
      if (declared && declared->secret) return refuse_secret(id + "." + one.key);
      auto status = take(graph::set_value(text_, pointer({"nodes", id, "params", one.key}),
                                          graph::to_json(one.value)),
                         id + "." + one.key);
      if (!status) return status;
    }
    return {};
  }

  Status write_edges() {
    const Value& old_edges = member(before_, "edges");
    const Value& new_edges = member(after_, "edges");
    for (const graph::Member& old : old_edges.members()) {
      const Value* now = new_edges.find(old.key);
      if (now && *now == old.value) continue;
      if (auto status = remove_edge(old.key); !status) return status;
    }
    for (const graph::Member& now : new_edges.members()) {
      const Value* old = old_edges.find(now.key);
      if (old && *old == now.value) continue;
      if (auto status = add_edge(now.key, now.value); !status) return status;
    }
    return {};
  }

  Status add_edge(const std::string& key, const Value& options) {
    const Value shown = tree();
    const Value* edges = shown.find("edges");
    if (edges && edges->is_object()) {
      return take(graph::insert_member(text_, "/edges", key, graph::to_json(options)), key);
    }
    const size_t arrow = key.find("->");
    Value element = key.substr(0, arrow) + " -> " + key.substr(arrow + 2);
    if (!options.members().empty()) {
      element = Value::object();
      element.set("from", key.substr(0, arrow));
      element.set("to", key.substr(arrow + 2));
      for (const graph::Member& option : options.members()) element.set(option.key, option.value);
    }
    if (!edges) {
      Value list = Value::array();
      list.push_back(std::move(element));
      return take(graph::set_value(text_, "/edges", graph::to_json(list)), key);
    }
    return take(graph::insert_element(text_, "/edges", graph::to_json(element)), key);
  }

  Status remove_edge(const std::string& key) {
    const Value shown = tree();
    const Value& edges = member(shown, "edges");
    if (edges.is_object()) {
      for (const graph::Member& one : edges.members()) {
        const auto link = find_link(before_, types_, one.key, key);
        if (link) return take(graph::remove_value(text_, pointer({"edges", one.key})), key);
      }
    }
    for (size_t i = 0; edges.is_array() && i < edges.elements().size(); ++i) {
      const Value& element = edges.elements()[i];
      std::string chain = element.is_text() ? element.text() : "";
      if (element.is_object() && element.find("from") && element.find("to")) {
        chain = member(element, "from").text() + " -> " + member(element, "to").text();
      }
      const auto link = find_link(before_, types_, chain, key);
      if (!link) continue;
      const std::string at = "/edges/" + std::to_string(i);
      std::vector<std::string> rest;
      if (!link->front.empty()) rest.push_back(link->front);
      if (!link->back.empty()) rest.push_back(link->back);
      if (rest.empty()) return take(graph::remove_value(text_, at), key);
      auto status = take(graph::replace_value(text_, at, graph::quote_json(rest[0])), key);
      if (!status || rest.size() == 1) return status;
      return take(graph::insert_element(text_, "/edges", graph::quote_json(rest[1]), i + 1), key);
    }
    return Error{ErrorCode::kState, "The edge " + key +
                                        " cannot be taken out in place: it does not stand in "
                                        "\"edges\" of this file."};
  }

  Status write_switches() {
    const Value& old_switches = member(before_, "switches");
    for (const graph::Member& now : member(after_, "switches").members()) {
      const Value& old = member(old_switches, now.key);
      if (!(member(old, "routes") == member(now.value, "routes"))) {
        return Error{ErrorCode::kState, "The routes of " + now.key +
                                            " have changed, which cannot be written in place; "
                                            "'sluice call document' prints the graph."};
      }
      if (member(old, "initial") == member(now.value, "initial")) continue;
      const Value shown = tree();
      const bool is_listed = member(shown, "switches").find(now.key) != nullptr;
      const std::string at =
          is_listed ? pointer({"switches", now.key, "initial"}) : std::string("/route");
      auto status =
          take(graph::set_value(text_, at, graph::to_json(member(now.value, "initial"))), now.key);
      if (!status) return status;
    }
    return {};
  }

  std::string text_;
  const Value& before_;
  const Value& after_;
  const graph::Catalog& types_;
};

}  // namespace

Result<std::string> write_changes(std::string_view text, const Value& before, const Value& after,
                                  const graph::Catalog& types) {
  return Writer(text, before, after, types).run();
}

Status replace_file(const std::filesystem::path& file, std::string_view content) {
  const std::string temporary = file.string() + ".new-" + std::to_string(::getpid());
  const auto fail = [&](const char* doing) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return Error{ErrorCode::kIo, "Cannot " + std::string(doing) + " " + file.string() + ": " +
                                     std::strerror(error) + "."};
  };
  struct stat old {};
  const bool is_there = ::stat(file.c_str(), &old) == 0;
  const mode_t mode = is_there ? old.st_mode & 07777U : 0644U;
  const int descriptor =
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (descriptor < 0) return fail("write beside");
  bool is_good = true;
  for (size_t written = 0; is_good && written < content.size();) {
    const ssize_t size = ::write(descriptor, content.data() + written, content.size() - written);
    is_good = size > 0 || (size < 0 && errno == EINTR);
    if (size > 0) written += static_cast<size_t>(size);
  }
  is_good = is_good && ::fsync(descriptor) == 0;
  const int error = errno;
  is_good = ::close(descriptor) == 0 && is_good;
  if (!is_good) {
    errno = error;
    return fail("write");
  }
  if (::rename(temporary.c_str(), file.c_str()) != 0) return fail("replace");
  return {};
}

}  // namespace sluice::session
