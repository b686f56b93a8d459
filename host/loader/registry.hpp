// Finds plugins and offers the node types in them.
//
// Folders are searched in this order; one that is named twice counts where it stands first:
//   1. RegistryOptions::plugin_dirs (--plugin-dir)
//   2. SLUICE_PLUGIN_PATH, folders separated by colons
//   3. ../lib/sluice beside the running program, and the same with the library folder of the
//      installation (../lib/x86_64-linux-gnu/sluice); if there is neither, the plugin folder this
//      program was configured to be installed with. A program and the plugins made with it belong
//      together, so this comes before
//   4. ~/.local/lib/sluice
// A type comes from the first file named after it (filter.gate.so), so that a run loads only what
// its graph names, and otherwise from the first file, in the order of folders and names, that
// offers it. Where several files offer one type, the log names the one that is used.
//
// A file is examined before any code of it runs (see elf_file.hpp), then loaded by another process
// to see whether it survives that (see RegistryOptions::prober). A library once loaded stays until
// the process ends.
//
// Thread class: [control], one call at a time. Types are [any] and outlive the registry.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/loader/type.hpp"
#include "host/support/result.hpp"

namespace sluice::loader {

struct RegistryOptions {
  std::vector<std::filesystem::path> plugin_dirs;
  // Whether folders 2 to 4 are searched too.
  bool has_default_dirs = true;
  // Descriptions of types found by a scan; empty: $XDG_CACHE_HOME/sluice/plugins.cache, or else
  // ~/.cache/sluice/plugins.cache, or, without HOME, none. Never necessary, never trusted.
  std::filesystem::path cache_file;
  bool has_cache = true;
  // A program that answers "probe-plugin FILE", see probe.hpp. Files that the cache does not know
  // are looked at by it first, so that one which crashes or hangs is a problem and not the end;
  // those beside the program (folder 3) only by a scan, since they were made with it. Empty: they
  // are loaded into this process at once.
  std::filesystem::path prober;
  std::chrono::milliseconds probe_patience{10'000};
};

// A file in a plugin folder that cannot be used, or only in part; or a folder that is not there.
struct Problem {
  std::filesystem::path file;
  std::string sentence;  // names the file
};

class Registry {
 public:
  explicit Registry(const RegistryOptions& options = {});
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // The type `id`, loaded. Errors: kNotFound if nobody offers it (the sentence has the nearest id
  // and where was looked); another code, with the sentence of its problem, if the file named after
  // it cannot be used. "FAMILY/NAME" is asked of the plugin that offers FAMILY.
  support::Result<const Type*> find(std::string_view id);

  // The same, but code that was not made with this program is not loaded for it where another
  // process can say what it is (RegistryOptions::prober): then it makes no nodes, see
  // Type::is_loaded.
  support::Result<const Type*> describe(std::string_view id);

  // All types in all folders, sorted by id. Those of files that have not changed since the last
  // scan come from the cache and are not loaded, see Type::is_loaded; nor are those that were
  // probed.
  std::vector<const Type*> all();

  // Loads `file`, which has been built anew, beside what was loaded from it; find and describe give
  // its types from then on, and what was given before stays valid. Returns the ids of those that
  // were in use. Errors: as Library::load, also for a file that does not survive another process's
  // look at it, or that no longer offers a type in use; then everything is as it was.
  support::Result<std::vector<std::string>> reload(const std::filesystem::path& file);

  // What has been met so far, each sentence once, in the order met.
  const std::vector<Problem>& problems() const;

  // RegistryOptions::prober.
  const std::filesystem::path& prober() const;

  // Whether the type comes from a folder of plugins that were made with this program.
  bool is_shipped(const Type& type) const;

  // The folders searched that exist, in order.
  const std::vector<std::filesystem::path>& folders() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::loader
