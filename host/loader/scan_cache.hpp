// What a scan of the plugin folders found, kept in a file, so that listing all types need not load
// every plugin. [control]
//
// The file may be missing, old, cut short or overwritten with anything: what cannot be understood
// completely counts as absent, and what is understood passes the same checks as a plugin's own
// data. It is bound to this version of Sluice and to the sanitizers it was built with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "host/loader/library.hpp"
#include "host/loader/type.hpp"

namespace sluice::loader {

class ScanCache {
 public:
  // Reads `file`; empty: remembers nothing.
  explicit ScanCache(std::filesystem::path file);

  // Fills in the types of plugin `path` as they were when it had this stamp; they live as long as
  // the process and are not loaded. False if nothing is known.
  bool find(const std::filesystem::path& path, const FileStamp& stamp,
            std::vector<const Type*>& types) const;
  // Remembers `content`, as encode_types gives it.
  void put(const std::filesystem::path& path, const FileStamp& stamp, std::string content);
  // Writes the file, if something has been put, and forgets plugins that are no longer there. A
  // failure is nobody's concern.
  void save();

 private:
  struct Entry {
    FileStamp stamp;
    std::string content;
  };
  void read();

  std::filesystem::path file_;
  std::map<std::string, Entry> entries_;
  bool has_changed_ = false;
};

// The types of one plugin as bytes, and back: false, and nothing added, if these are not such
// bytes.
std::string encode_types(uint16_t abi_minor, std::span<const Type* const> types);
bool decode_types(std::string_view content, const std::filesystem::path& path,
                  std::vector<const Type*>& types);

}  // namespace sluice::loader
