// What was changed live and is to be as it was after a restart: the routes that are taken and live
// parameters, as far as they differ from the graph's file. Secrets are never part of it. [control]
#pragma once

#include <string>
#include <vector>

#include "host/graph/catalog.hpp"
#include "host/graph/value.hpp"

namespace sluice::session {

// {"sluice_state": 1, "routes": {"main": {"now": "box", "file": "local"}}, "parameters":
// {"hub.gain_db": {"now": -6, "file": 0}}}. `file` and `now` are bases, see edits.hpp.
graph::Value state_of(const graph::Value& file, const graph::Value& now,
                      const graph::Catalog& types);

// The same as arguments of --set and --route, to be put in front of those of the command line.
struct KeptSettings {
  std::vector<std::string> settings;  // "hub.gain_db=-6"
  std::vector<std::string> routes;    // "main=box"
  std::vector<std::string> notes;     // sentences: what of it no longer fits, and why
};

// What of the state fits the file as it is now: where the file says something else than it said
// then, somebody has decided anew, and the file has the last word.
KeptSettings settings_of(const graph::Value& state, const graph::Value& file,
                         const graph::Catalog& types);

}  // namespace sluice::session
