// A plugin that has been loaded: it stays so until the process ends, since code of it may be
// running, or be on its way back, at any time. [control]
#pragma once

#include <sluice/plugin.h>

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/loader/type.hpp"
#include "host/support/result.hpp"

namespace sluice::loader {

// What tells one version of a file from the next.
struct FileStamp {
  uint64_t bytes = 0;
  int64_t modified_ns = 0;  // since 1970
  friend bool operator==(const FileStamp& a, const FileStamp& b) = default;
};
// Zeros if the file cannot be examined.
FileStamp stamp_of(const std::filesystem::path& file);

class Library {
 public:
  // Loads `file` with all its symbols bound, after check_plugin_file. A file that has been loaded
  // before gives the same library again, even if the file has been replaced since: the system would
  // return the old code too. Errors: those of check_plugin_file; kUnsupported with the symbol or
  // library that is missing; kInvalid if what sluice_entry holds cannot be used at all. Each
  // sentence names the file.
  static support::Result<const Library*> load(const std::filesystem::path& file);

  // Loads what stands at `file` now beside what was loaded from there before, by way of a copy in
  // its folder, or else in the one for temporary files. load gives the new one from then on. Errors
  // as load, or kIo if there can be no copy; then everything is as it was.
  static support::Result<const Library*> load_anew(const std::filesystem::path& file);

  const std::filesystem::path& file() const;
  FileStamp stamp() const;  // of the file when it was loaded
  std::string_view name() const;
  std::string_view version() const;
  std::string_view vendor() const;
  std::string_view license() const;
  uint16_t abi_minor() const;
  // The library's own answer (sluice_library.get_extension); null if it has none. [any]
  const void* extension(const char* id) const;
  // Those without a defect, in the plugin's order.
  std::span<const Type* const> types() const;
  // What is wrong with the other ones; sentences that name the file.
  std::span<const std::string> defects() const;

  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library();

 private:
  struct State;
  explicit Library(std::unique_ptr<State> state);
  static support::Result<std::unique_ptr<const Library>> open(const std::filesystem::path& file,
                                                              const std::filesystem::path& opened);
  std::unique_ptr<State> state_;
};

// Turns what dlerror() said about `file` into a sentence: which symbol (demangled) or library is
// missing, and what to do.
std::string explain_load_error(const std::filesystem::path& file, std::string_view message);

}  // namespace sluice::loader
