#include "host/cli/state_file.hpp"

#include <fstream>
#include <iterator>
#include <utility>

#include "host/graph/json_text.hpp"
#include "host/session/kept_state.hpp"
#include "host/session/plugin_catalog.hpp"
#include "host/session/save.hpp"
#include "host/support/log.hpp"

namespace sluice::cli {

LoadedGraph StateFile::restore(const LoadedGraph& of_file) {
  file_ = of_file.base;
  std::ifstream file(path_, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) return of_file;
  const auto state = graph::parse_json_value(text);
  if (!state || !state->is_object()) {
    support::log_warning(path_ + " holds no state; the graph begins as its file says.");
    return of_file;
  }
  const auto types = session::catalog_for(graph::to_json(of_file.base), registry_);
  session::KeptSettings kept = session::settings_of(*state, of_file.base, types);
  for (const std::string& note : kept.notes) support::log_info(path_ + ": " + note);
  GraphOptions with = options_;
  auto& settings = with.load.settings;
  settings.insert(settings.begin(), kept.settings.begin(), kept.settings.end());
  auto& routes = with.load.routes;
  routes.insert(routes.begin(), kept.routes.begin(), kept.routes.end());
  auto loaded = load_quietly(with, registry_);
  if (loaded) return *std::move(loaded);
  support::log_warning(path_ + ": " + loaded.error().message +
                       " The graph begins as its file says.");
  return of_file;
}

support::Status StateFile::keep(const session::Session& session) {
  version_ = session.version();
  // A profile that was taken is not what the file says by itself, and it may have been edited.
  if (std::exchange(file_version_, session.file_version()) != session.file_version()) {
    if (auto loaded = load_quietly(options_, registry_)) file_ = std::move(loaded->base);
  }
  std::string text =
      graph::to_pretty_json(session::state_of(file_, session.base(), session.types()));
  if (!text.ends_with('\n')) text += '\n';
  if (text == written_) return {};
  if (auto status = session::replace_file(path_, text); !status) return status;
  written_ = std::move(text);
  return {};
}

void StateFile::tend(const session::Session& session) {
  const bool is_old = version_ == session.version() && file_version_ == session.file_version();
  if (is_old || has_failed_) return;
  if (auto status = keep(session); !status) {
    has_failed_ = true;
    support::log_warning(status.error().message + " What is changed from here on is not kept.");
  }
}

}  // namespace sluice::cli
