#include "host/cli/graph_file.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "host/graph/edit.hpp"
#include "host/graph/json_text.hpp"
#include "host/session/edits.hpp"
#include "host/session/merge.hpp"
#include "host/session/profile.hpp"
#include "host/session/save.hpp"
#include "host/support/log.hpp"
#include "host/support/nearest_name.hpp"

namespace sluice::cli {
namespace {

using graph::Value;
using session::ChangeRequest;
using support::Error;
using support::ErrorCode;
using support::Result;

constexpr const char* kStays = " The graph plays on as it was.";

}  // namespace

GraphFile::GraphFile(session::Session& session, loader::Registry& registry, GraphOptions options,
                     LoadedGraph loaded)
    : session_(session),
      registry_(registry),
      options_(std::move(options)),
      loaded_(std::move(loaded)) {}

void GraphFile::offer(control::ControlOptions& options) {
  options.reload = [this] { return reload(); };
  options.save = [this] { return save(); };
  options.profiles = [this] { return profiles(); };
  options.take_profile = [this](const std::string& name) { return take_profile(name); };
  options.save_profile = [this](const std::string& name) { return save_profile(name); };
  options.delete_profile = [this](const std::string& name) { return delete_profile(name); };
}

// Brings what the file now says, where it said something else before, into what plays.
ChangeRequest GraphFile::request_of(LoadedGraph loaded, std::string profile) {
  ChangeRequest request;
  request.document = session::merged(loaded_.base, loaded.base, session_.base());
  request.carried_out = [this, loaded = std::move(loaded), profile = std::move(profile)] {
    loaded_ = loaded;
    options_.load.profile = profile;
    session_.note_file(loaded_.document, loaded_.base);
  };
  return request;
}

Result<ChangeRequest> GraphFile::reload() {
  auto loaded = load_quietly(options_, registry_);
  if (!loaded) return std::move(loaded).error();
  ChangeRequest request = request_of(*loaded, options_.load.profile);
  request.document = std::move(loaded->base);
  request.keeps_routes = true;
  return request;
}

Result<std::string> GraphFile::text() const {
  std::ifstream file(options_.file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) return Error{ErrorCode::kIo, options_.file + " cannot be read."};
  return text;
}

support::Status GraphFile::replace(const std::string& text) {
  return session::replace_file(options_.file, text);
}

// Writes what was changed into the graph's file, if the file then says what plays.
Result<std::string> GraphFile::save() {
  const auto before = text();
  if (!before) return before.error();
  auto changed =
      session::write_changes(*before, session_.first_base(), session_.base(), session_.types());
  if (!changed) return std::move(changed).error();
  auto read_back = load_quietly(options_, registry_, *changed);
  if (!read_back) return std::move(read_back).error();
  if (!(read_back->base == session_.base())) {
    return Error{ErrorCode::kState, "The changes cannot be written into " + options_.file +
                                        " in place: it would not say what plays. 'sluice diff "
                                        "--json' prints them as a patch."};
  }
  if (auto status = replace(*changed); !status) return std::move(status).error();
  loaded_ = *std::move(read_back);
  session_.note_saved();
  return options_.file;
}

Result<Value> GraphFile::profiles() const {
  Value known = Value::array();
  for (const std::string& name : loaded_.document.profiles) known.push_back(name);
  Value answer = Value::object();
  answer.set("taken", options_.load.profile);
  answer.set("known", std::move(known));
  return answer;
}

Result<ChangeRequest> GraphFile::take_profile(const std::string& name) {
  GraphOptions with = options_;
  with.load.profile = name;
  auto loaded = load_quietly(with, registry_);
  if (!loaded) return std::move(loaded).error();
  with.load.profile.clear();
  const auto plain = load_quietly(with, registry_);
  if (!plain) return plain.error();
  const LoadedGraph of_profile = *loaded;
  ChangeRequest request = request_of(*std::move(loaded), name);
  // First without the one that was taken before, so that all of this one holds, also anew.
  Value without = session::merged(loaded_.base, plain->base, session_.base());
  request.document = session::merged(plain->base, of_profile.base, std::move(without));
  // Where it says which route, that is taken whatever the file says without it.
  for (const std::string& id : of_profile.document.profile_switches) {
    Value operation = Value::object();
    operation.set("op", "route");
    operation.set("switch", id);
    operation.set("route", of_profile.document.find_switch(id)->initial.name);
    auto changed = session::apply_operation(*request.document, session_.types(), operation);
    if (!changed) return std::move(changed).error();
    request.document = *std::move(changed);
  }
  return request;
}

Result<std::string> GraphFile::save_profile(const std::string& name) {
  const auto before = text();
  if (!before) return before.error();
  GraphOptions without = options_;
  without.load.profile.clear();
  const auto plain = load_quietly(without, registry_);
  if (!plain) return plain.error();
  auto profile = session::profile_of(plain->base, session_.base(), session_.types());
  if (!profile) return std::move(profile).error();
  const std::string pointer = graph::pointer_to("/profiles", name);
  auto changed = graph::set_value(*before, pointer, graph::to_json(*profile));
  if (!changed) return std::move(changed).error();
  GraphOptions with = options_;
  with.load.profile = name;
  auto read_back = load_quietly(with, registry_, *changed);
  if (!read_back) return std::move(read_back).error();
  if (!(read_back->base == session_.base())) {
    return Error{ErrorCode::kState,
                 "A profile " + name + " would not say all that plays; 'sluice diff' tells it."};
  }
  if (auto status = replace(*changed); !status) return std::move(status).error();
  options_.load.profile = name;
  loaded_ = *std::move(read_back);
  session_.note_saved();
  return options_.file;
}

Result<std::string> GraphFile::delete_profile(const std::string& name) {
  const auto before = text();
  if (!before) return before.error();
  auto changed = graph::remove_value(*before, graph::pointer_to("/profiles", name));
  if (!changed) {
    const std::vector<std::string>& known = loaded_.document.profiles;
    if (std::find(known.begin(), known.end(), name) != known.end()) {
      return Error{ErrorCode::kState, "The profile " + name + " does not stand in " +
                                          options_.file + " itself but in a file it includes."};
    }
    const std::vector<std::string_view> names(known.begin(), known.end());
    const std::string help = support::did_you_mean(name, names);
    return Error{ErrorCode::kNotFound, "There is no profile " + name + (help.empty() ? "." : help)};
  }
  if (auto status = replace(*changed); !status) return std::move(status).error();
  std::erase(loaded_.document.profiles, name);
  if (options_.load.profile == name) options_.load.profile.clear();
  return options_.file;
}

std::vector<std::filesystem::path> GraphFile::files() const {
  std::vector<std::filesystem::path> files = loaded_.document.included;
  files.emplace_back(options_.file);
  return files;
}

// Those whose nodes are in the graph.
std::vector<std::filesystem::path> GraphFile::plugins() const {
  std::vector<std::filesystem::path> files;
  for (const graph::Node& node : session_.document().nodes) {
    const graph::NodeType* type = session_.types().find(node.type);
    if (type && !type->plugin.empty()) files.emplace_back(type->plugin);
  }
  return files;
}

support::Status GraphFile::follow() {
  std::vector<std::filesystem::path> all = files();
  for (const std::filesystem::path& plugin : plugins()) {
    all.push_back(plugin);
    plugin_stamps_.try_emplace(plugin, loader::stamp_of(plugin));
  }
  return watch_->watch(all);
}

support::Status GraphFile::watch() {
  auto watch = FileWatch::make(files());
  if (!watch) return std::move(watch).error();
  watch_ = *std::move(watch);
  return follow();
}

void GraphFile::look() {
  if (!watch_) return;
  // Another type may have come in.
  if (std::exchange(followed_version_, session_.version()) != session_.version()) {
    if (auto status = follow(); !status) support::log_warning(status.error().message);
  }
  // Some editors save in several steps: what counts is how it is when there is quiet.
  if (watch_->has_news()) {
    has_news_ = true;
  } else if (std::exchange(has_news_, false)) {
    take_up();
    take_up_plugins();
  }
}

// A linker that is not done yet leaves a file that cannot be loaded; its end is news again.
void GraphFile::take_up_plugins() {
  for (auto& [plugin, stamp] : plugin_stamps_) {
    const loader::FileStamp now = loader::stamp_of(plugin);
    if (now == stamp || now == loader::FileStamp{}) continue;
    stamp = now;
    const auto ids = registry_.reload(plugin);
    if (!ids) {
      support::log_error(ids.error().message + kStays);
      continue;
    }
    ChangeRequest request;
    request.origin = "plugin";
    std::string names;
    for (const graph::Node& node : session_.document().nodes) {
      if (std::find(ids->begin(), ids->end(), node.type) == ids->end()) continue;
      request.anew.insert(node.id);
      names += (names.empty() ? "" : ", ") + node.id;
    }
    if (request.anew.empty()) continue;
    const std::string file = plugin.string();
    session_.change(std::move(request), [file, names](const session::ChangeResult& result) {
      if (result.status.ok()) {
        support::log_info(file + " was built anew: " + names + " now runs it.");
      } else {
        support::log_error(file + ": " + result.status.error().message + kStays);
      }
    });
  }
}

void GraphFile::take_up() {
  auto loaded = load_quietly(options_, registry_);
  if (!loaded) {
    support::log_error(loaded.error().message + kStays);
    return;
  }
  if (loaded->base == loaded_.base) return;
  ChangeRequest request = request_of(*std::move(loaded), options_.load.profile);
  request.origin = "file";
  session_.change(std::move(request), [this](const session::ChangeResult& result) {
    if (!result.status.ok()) {
      support::log_error(options_.file + ": " + result.status.error().message + kStays);
      return;
    }
    std::string steps;
    for (const std::string& step : result.steps) steps += (steps.empty() ? "" : ", ") + step;
    support::log_info(options_.file + " was saved: " + (steps.empty() ? "nothing new" : steps) +
                      ".");
    if (auto status = follow(); !status) {
      support::log_warning(status.error().message);
    }
  });
}

}  // namespace sluice::cli
