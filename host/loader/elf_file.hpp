// Examines a shared object without loading it, so that no code of a file that is no plugin, or a
// plugin this host cannot run, is ever executed.
//
// Written after the System V ABI (ELF-64, dynamic section, hash table), the GNU hash table of
// binutils and the layout of sluice_library. Trusts nothing in the file: every offset is checked,
// and the work is bounded by the size of the file. [control]
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "host/support/result.hpp"

namespace sluice::loader {

// The members of sluice_library that stay where they are in every revision of the ABI.
struct EntryHeader {
  uint32_t struct_size = 0;
  uint16_t abi_major = 0;
  uint16_t abi_minor = 0;
  uint32_t build_flags = 0;  // SLUICE_BUILD_*
  uint32_t type_count = 0;
};

// A shared object for this kind of machine.
struct ElfSummary {
  std::vector<std::string> needed;  // DT_NEEDED: libraries it asks for
  // Names of sanitizers whose runtime it wants, "AddressSanitizer" ...; found by the undefined
  // symbols they leave.
  std::vector<std::string> sanitizers;
  bool has_entry = false;  // exports sluice_entry as data
  EntryHeader entry;       // zeros if the file holds no bytes for it
};

// `image` is the file, or as much of it as segments_end() says. Errors are the rest of a sentence
// that begins with the file's name: "is empty."
support::Result<ElfSummary> read_elf(std::span<const std::byte> image);

// Where the last byte lies that would be mapped into memory; what follows (debug information) plays
// no part. At most as far as `start`, the beginning of the file, lets one see; 0 if it is no ELF
// file.
uint64_t segments_end(std::span<const std::byte> start);

// Reads `file` and says what it is. Errors: kNotFound, kPermission, kIo, kUnsupported; a sentence
// that names the file.
support::Result<ElfSummary> read_elf_file(const std::filesystem::path& file);

// Success if `file` is a plugin that this host can load: right machine, exports sluice_entry, same
// abi_major, no sanitizer that this host lacks. Error: a sentence that names the file and says what
// to do.
support::Status check_plugin_file(const std::filesystem::path& file);

// The sanitizers this host was built with, as SLUICE_BUILD_*.
uint32_t host_build_flags();

}  // namespace sluice::loader
