// A node type as the host sees it: checked, complete, and valid until the process ends.
#pragma once

#include <sluice/plugin.h>

#include <filesystem>
#include <span>
#include <string_view>

namespace sluice::loader {

// Views over a sluice_type that the loader has checked and copied into structs of this host's
// size: members that an older plugin does not know are zero, those a newer one adds are left out.
// Every string is set (a plugin's null is ""), except sluice_parameter.claim and claim_when and
// sluice_statistic.against, where null means none. Arrays without elements are empty. Immutable.
// [any]
class Type {
 public:
  // `data` is full-size, as are the elements of its arrays, and lives as long as the process.
  Type(const sluice_type& data, const std::filesystem::path& file) : data_(data), file_(file) {}
  Type(const Type&) = delete;
  Type& operator=(const Type&) = delete;

  std::string_view id() const { return data_.id; }
  std::string_view name() const { return data_.name; }
  std::string_view description() const { return data_.description; }
  uint32_t execution() const { return data_.execution; }
  bool has_flag(uint32_t flag) const { return (data_.flags & flag) != 0; }

  std::span<const sluice_port> ports() const { return {data_.ports, data_.port_count}; }
  std::span<const sluice_parameter> parameters() const {
    return {data_.parameters, data_.parameter_count};
  }
  std::span<const sluice_statistic> statistics() const {
    return {data_.statistics, data_.statistic_count};
  }
  // Null if there is none.
  const sluice_port* find_port(std::string_view key) const;
  const sluice_parameter* find_parameter(std::string_view key) const;

  // The shared object it comes from.
  const std::filesystem::path& file() const { return file_; }
  // False for one that is known from the cache alone: it can be shown, but makes no nodes
  // (data().functions is null). Registry::find gives one that does.
  bool is_loaded() const { return data_.functions != nullptr; }
  // For the engine.
  const sluice_type& data() const { return data_; }

 private:
  const sluice_type& data_;
  const std::filesystem::path& file_;
};

inline std::span<const sluice_format_offer> offers(const sluice_port& port) {
  return {port.offers, port.offer_count};
}
inline std::span<const char* const> choices(const sluice_parameter& parameter) {
  return {parameter.choices, parameter.choice_count};
}

}  // namespace sluice::loader
