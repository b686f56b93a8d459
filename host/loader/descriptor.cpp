#include "host/loader/descriptor.hpp"

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "host/support/printable.hpp"

namespace sluice::loader {
namespace {

// Far above what makes sense; a larger number is a count that was never set.
constexpr uint32_t kMostPorts = 256;
constexpr uint32_t kMostParameters = 4096;
constexpr uint32_t kMostStatistics = 4096;
constexpr uint32_t kMostChoices = 4096;
constexpr uint32_t kMostOffers = 256;
constexpr uint32_t kMostStructBytes = 65536;

// How far the members of ABI 1.0 reach: no struct may be smaller.
#define SLUICE_END_OF(type, member) (offsetof(type, member) + sizeof(type::member))
template <typename Struct>
constexpr std::size_t kLeastBytes = 0;
template <>
constexpr std::size_t kLeastBytes<sluice_type> = SLUICE_END_OF(sluice_type, functions);
template <>
constexpr std::size_t kLeastBytes<sluice_port> = SLUICE_END_OF(sluice_port, offer_count);
template <>
constexpr std::size_t kLeastBytes<sluice_format_offer> = SLUICE_END_OF(sluice_format_offer,
                                                                       rate_hz_maximum);
template <>
constexpr std::size_t kLeastBytes<sluice_parameter> = SLUICE_END_OF(sluice_parameter, claim_when);
template <>
constexpr std::size_t kLeastBytes<sluice_statistic> = SLUICE_END_OF(sluice_statistic, against);
#undef SLUICE_END_OF

template <typename Struct>
std::optional<std::string> size_defect(uint32_t bytes, std::string_view struct_name) {
  if (bytes < kLeastBytes<Struct>) {
    return fmt::format(
        "struct_size of {0} is {1}, less than the {2} of ABI 1.0; set it to sizeof({0}).",
        struct_name, bytes, kLeastBytes<Struct>);
  }
  if (bytes > kMostStructBytes || bytes % alignof(Struct) != 0) {
    return fmt::format(
        "struct_size of {0} is {1}, which is no size of a struct; set it to "
        "sizeof({0}).",
        struct_name, bytes);
  }
  return std::nullopt;
}

// Reads a struct's first member, wherever it lies.
uint32_t struct_size_at(const void* source) {
  uint32_t bytes = 0;
  std::memcpy(&bytes, source, sizeof(bytes));
  return bytes;
}

class Copier {
 public:
  explicit Copier(TypeRecord& record) : record_(record) {}

  std::vector<std::string> run(const sluice_type* source) {
    if (source == nullptr) {
      defects_.emplace_back("a type is null.");
      return std::move(defects_);
    }
    const uint32_t bytes = struct_size_at(source);
    if (auto defect = size_defect<sluice_type>(bytes, "sluice_type")) {
      defects_.push_back("a type is unusable: " + *defect);
      return std::move(defects_);
    }
    record_.data = copy_sized<sluice_type>(source, bytes);
    sluice_type& type = record_.data;
    where_ = type.id == nullptr ? "a type without id" : "type " + support::printable(type.id, 128);
    if (type.id == nullptr) defect("its id is null.");
    if (type.id == nullptr) type.id = "";
    fill(type.name);
    fill(type.description);
    copy_ports();
    copy_parameters();
    copy_statistics();
    record_.link();
    return std::move(defects_);
  }

 private:
  void defect(std::string_view what) { defects_.push_back(fmt::format("{}: {}", where_, what)); }

  static void fill(const char*& text) {
    if (text == nullptr) text = "";
  }

  // The elements of an array of sized structs; empty if something is wrong with it.
  template <typename Struct>
  std::vector<Struct> copy_array(const Struct* source, uint32_t count, uint32_t most,
                                 std::string_view things, std::string_view struct_name) {
    std::vector<Struct> copies;
    if (count == 0) return copies;
    if (count > most) {
      defect(fmt::format("it claims to have {} {}; {} are allowed.", count, things, most));
      return copies;
    }
    if (source == nullptr) {
      defect(fmt::format("it has {} {}, but the pointer to them is null.", count, things));
      return copies;
    }
    const uint32_t stride = struct_size_at(source);
    if (auto wrong = size_defect<Struct>(stride, struct_name)) {
      defect(*wrong);
      return copies;
    }
    const auto* const bytes = reinterpret_cast<const unsigned char*>(source);
    for (uint32_t i = 0; i < count; ++i) {
      const unsigned char* const element = bytes + std::size_t{i} * stride;
      if (struct_size_at(element) != stride) {
        defect(fmt::format("struct_size of {} {} is {}, of the first one {}; all must be the same.",
                           struct_name, i, struct_size_at(element), stride));
        return {};
      }
      copies.push_back(copy_sized<Struct>(element, stride));
    }
    return copies;
  }

  void copy_ports() {
    const sluice_type& type = record_.data;
    record_.ports = copy_array(type.ports, type.port_count, kMostPorts, "ports", "sluice_port");
    const std::string whole = where_;
    for (uint32_t i = 0; i < record_.ports.size(); ++i) {
      sluice_port& port = record_.ports[i];
      where_ = port.key == nullptr
                   ? fmt::format("{}, port {}", whole, i)
                   : fmt::format("{}, port {}", whole, support::printable(port.key, 64));
      if (port.key == nullptr) defect("its key is null.");
      fill(port.key);
      fill(port.description);
      // Null means "anything", whatever the count says.
      if (port.offers == nullptr) port.offer_count = 0;
      record_.offers.push_back(copy_array(port.offers, port.offer_count, kMostOffers,
                                          "format offers", "sluice_format_offer"));
    }
    where_ = whole;
  }

  void copy_parameters() {
    const sluice_type& type = record_.data;
    record_.parameters = copy_array(type.parameters, type.parameter_count, kMostParameters,
                                    "parameters", "sluice_parameter");
    const std::string whole = where_;
    for (uint32_t i = 0; i < record_.parameters.size(); ++i) {
      sluice_parameter& parameter = record_.parameters[i];
      where_ = parameter.key == nullptr
                   ? fmt::format("{}, parameter {}", whole, i)
                   : fmt::format("{}, parameter {}", whole, support::printable(parameter.key, 64));
      if (parameter.key == nullptr) defect("its key is null.");
      fill(parameter.key);
      fill(parameter.unit);
      fill(parameter.description);
      fill(parameter.default_text);
      record_.choices.push_back(copy_choices(parameter));
    }
    where_ = whole;
  }

  std::vector<const char*> copy_choices(const sluice_parameter& parameter) {
    std::vector<const char*> choices;
    if (parameter.choice_count > kMostChoices) {
      defect(fmt::format("it claims to have {} choices; {} are allowed.", parameter.choice_count,
                         kMostChoices));
      return choices;
    }
    if (parameter.choice_count > 0 && parameter.choices == nullptr) {
      defect(fmt::format("it has {} choices, but the pointer to them is null.",
                         parameter.choice_count));
      return choices;
    }
    for (uint32_t i = 0; i < parameter.choice_count; ++i) {
      if (parameter.choices[i] == nullptr) defect(fmt::format("choice {} is null.", i));
      choices.push_back(parameter.choices[i] == nullptr ? "" : parameter.choices[i]);
    }
    return choices;
  }

  void copy_statistics() {
    const sluice_type& type = record_.data;
    record_.statistics = copy_array(type.statistics, type.statistic_count, kMostStatistics,
                                    "statistics", "sluice_statistic");
    const std::string whole = where_;
    for (uint32_t i = 0; i < record_.statistics.size(); ++i) {
      sluice_statistic& statistic = record_.statistics[i];
      where_ = fmt::format("{}, statistic {}", whole, i);
      if (statistic.key == nullptr) defect("its key is null.");
      fill(statistic.key);
      fill(statistic.unit);
      fill(statistic.description);
    }
    where_ = whole;
  }

  TypeRecord& record_;
  std::string where_;
  std::vector<std::string> defects_;
};

}  // namespace

void TypeRecord::link() {
  const auto first = [](auto& elements) { return elements.empty() ? nullptr : elements.data(); };
  data.ports = first(ports);
  data.port_count = static_cast<uint32_t>(ports.size());
  data.parameters = first(parameters);
  data.parameter_count = static_cast<uint32_t>(parameters.size());
  data.statistics = first(statistics);
  data.statistic_count = static_cast<uint32_t>(statistics.size());
  for (std::size_t i = 0; i < ports.size(); ++i) {
    ports[i].offers = first(offers[i]);
    ports[i].offer_count = static_cast<uint32_t>(offers[i].size());
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].choices = first(choices[i]);
    parameters[i].choice_count = static_cast<uint32_t>(choices[i].size());
  }
}

std::vector<std::string> copy_type(const sluice_type* source, TypeRecord& record) {
  return Copier(record).run(source);
}

}  // namespace sluice::loader
