// The data of a node type, copied out of a plugin into structs of this host's size and checked.
// [control]
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

namespace sluice::loader {

// Owns the arrays that `data` points to. Strings are the plugin's own, which stays loaded, or, for
// a record made from the cache, those in `strings`.
struct TypeRecord {
  TypeRecord() = default;
  TypeRecord(const TypeRecord&) = delete;
  TypeRecord& operator=(const TypeRecord&) = delete;

  // Points `data`, its ports and its parameters at the arrays below.
  void link();

  sluice_type data{};
  std::vector<sluice_port> ports;
  std::vector<std::vector<sluice_format_offer>> offers;  // of each port
  std::vector<sluice_parameter> parameters;
  std::vector<std::vector<const char*>> choices;  // of each parameter
  std::vector<sluice_statistic> statistics;
  std::deque<std::string> strings;
};

// Copies `bytes` bytes of a plugin's struct into a host's, whose other members become zero, and
// gives it the host's struct_size. `bytes` may be smaller (an older plugin) or larger (a newer one)
// than the host's.
template <typename Struct>
Struct copy_sized(const void* source, uint32_t bytes) {
  Struct copy{};
  std::memcpy(&copy, source, bytes < sizeof(Struct) ? bytes : sizeof(Struct));
  copy.struct_size = sizeof(Struct);
  return copy;
}

// Copies a type as a plugin offers it. Returns what is wrong with sizes, counts and pointers, one
// sentence each, such as "type filter.gate: it has 2 ports, but the pointer to them is null."; the
// record is complete only if there is none.
std::vector<std::string> copy_type(const sluice_type* source, TypeRecord& record);

// What is wrong with the values of a complete record: ids, keys, ranges, defaults, kinds, flags.
// Flags this host does not know are cleared if the plugin's abi_minor is newer than the host's, and
// a defect otherwise. `has_functions` is false for a record from the cache.
std::vector<std::string> check_type(TypeRecord& record, uint16_t abi_minor, bool has_functions);

// "filter.gate": two or more labels of [a-z0-9_-], separated by dots, 128 bytes at most; begins
// with a letter. Such an id is also safe as part of a file name.
bool is_type_id(std::string_view id);
// "filter.lv2/http://example.org/amp": a family's id, a slash and the name of a member: printable
// ASCII without blanks, quotes and backslashes, 512 bytes at most.
bool is_member_id(std::string_view id);
// [a-z][a-z0-9_]*, 64 bytes at most.
bool is_key(std::string_view key);

}  // namespace sluice::loader
