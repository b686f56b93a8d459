// The file in which a graph that plays keeps its routes and live parameters for the next start; see
// session/kept_state.hpp. [control]
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "host/cli/graph_options.hpp"
#include "host/loader/registry.hpp"
#include "host/session/session.hpp"
#include "host/support/result.hpp"

namespace sluice::cli {

class StateFile {
 public:
  // `options` are those that the graph is started with, now and the next time; `registry` outlives
  // it.
  StateFile(std::string path, GraphOptions options, loader::Registry& registry)
      : path_(std::move(path)), options_(std::move(options)), registry_(registry) {}

  // What the graph's file says, with what was kept put in; what does not fit is left out and
  // logged. --set and --route of the options have the last word.
  LoadedGraph restore(const LoadedGraph& of_file);

  // Writes what differs now, at once: whoever reads the file, also after a crash, finds the old
  // state or the new one. Error: it cannot be written.
  support::Status keep(const session::Session& session);
  // The same where anything has changed since; a failure is logged, once. To be called often.
  void tend(const session::Session& session);

 private:
  const std::string path_;
  const GraphOptions options_;
  loader::Registry& registry_;
  graph::Value file_;  // what the graph's file says without what was kept, as a base
  std::string written_;
  uint64_t version_ = 0, file_version_ = 0;  // of the session, when last looked at
  bool has_failed_ = false;
};

}  // namespace sluice::cli
