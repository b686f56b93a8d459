// The checks of `sluice validate`, as data: each looks for one kind of broken promise. [control]
#pragma once

#include <sluice/plugin.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "host/loader/library.hpp"
#include "host/validate/child.hpp"
#include "host/validate/node_host.hpp"

namespace sluice::validate {

// What a check is given, inside a process of its own.
class Subject {
 public:
  struct Setting {
    std::string key, value;
  };

  // `folder` is empty and the check's own.
  Subject(std::filesystem::path file, std::string type_id, std::filesystem::path folder,
          std::vector<Setting> settings, uint64_t seed, Report& report);

  const std::filesystem::path& file() const { return file_; }
  // Loads the library; null, with a skip, if that fails: a check of its own says why.
  const loader::Library* load();
  // The type under test; null likewise.
  const loader::Type* type();
  const sluice_type& data() { return type()->data(); }
  uint64_t seed() const { return seed_; }

  // Defaults, the settings of the command line, and for required paths a file that is there (WAV)
  // or that can be written.
  std::vector<Value> values();

  // A sentence about the plugin; the first letter is made large.
  void fail(std::string sentence);
  void note(std::string sentence) { report_.notes.push_back(std::move(sentence)); }
  void skip(std::string sentence) { report_.skipped = std::move(sentence); }
  bool has_failed() const { return !report_.failures.empty(); }

  // Creates and prepares; false, with a failure or a skip, if that cannot be.
  bool make(NodeHost& host, const sluice_format& wanted = NodeHost::kStereo,
            uint32_t block_frames = 4096, bool with_optional = true);
  // What the host saw becomes failures.
  void take(const NodeHost& host);

 private:
  std::filesystem::path file_;
  std::string type_id_;
  std::filesystem::path folder_;
  std::vector<Setting> settings_;
  uint64_t seed_;
  Report& report_;
  const loader::Library* library_ = nullptr;
  const loader::Type* type_ = nullptr;
};

enum class About : uint8_t { kLibrary, kType, kPassive, kThreaded, kDevice };

struct Check {
  const char* id;
  int level;  // 1: a second; 2: before a release; 3: all there is
  About about;
  const char* what;  // is looked at
  const char* why;   // it matters, and how to mend it
  void (*run)(Subject& subject);
};

std::span<const Check> library_checks();
std::span<const Check> life_checks();
std::span<const Check> process_checks();
std::span<const Check> parameter_checks();
std::span<const Check> run_checks();

// All of them, in the order in which they run.
std::vector<const Check*> all_checks();
// Whether a check is for types of this execution.
bool applies_to(const Check& check, uint32_t execution);

// ---- What several of them do.

// What a passive node makes of a stream cut like this.
std::vector<float> played(Subject& subject, NodeHost& host, const Cut& cut);
// Threads and descriptors of this process, and bytes that its heap holds.
struct Belongings {
  size_t threads = 0, descriptors = 0, heap_bytes = 0;
};
Belongings belongings();

}  // namespace sluice::validate
