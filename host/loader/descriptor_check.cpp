#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "host/loader/descriptor.hpp"
#include "host/support/printable.hpp"

namespace sluice::loader {
namespace {

constexpr std::size_t kMostTypeIdBytes = 128;
constexpr std::size_t kMostMemberNameBytes = 512;
constexpr std::size_t kMostKeyBytes = 64;
constexpr double kLargestInteger = 9007199254740992.0;  // 2^53: the ABI's limit of integers

constexpr uint32_t kTypeFlags = SLUICE_TYPE_HEAVY | SLUICE_TYPE_EQUAL_COUNTS |
                                SLUICE_TYPE_ADAPTS_SAMPLE_FORMAT | SLUICE_TYPE_ADAPTS_RATE |
                                SLUICE_TYPE_ADAPTS_CHANNELS | SLUICE_TYPE_BRIDGES_CLOCKS |
                                SLUICE_TYPE_OPENS_DEVICES | SLUICE_TYPE_RETRIES |
                                SLUICE_TYPE_FOLLOWS_READER | SLUICE_TYPE_FAMILY;
constexpr uint32_t kPortFlags = SLUICE_PORT_OPTIONAL | SLUICE_PORT_LIVE | SLUICE_PORT_SAME_FORMAT;
constexpr uint32_t kParameterFlags = SLUICE_PARAMETER_LIVE | SLUICE_PARAMETER_SECRET |
                                     SLUICE_PARAMETER_REQUIRED | SLUICE_PARAMETER_INPUT_PATH |
                                     SLUICE_PARAMETER_OUTPUT_PATH;

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_whole(double number) {
  return std::trunc(number) == number && std::abs(number) <= kLargestInteger;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = support::utf8_length(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

class Checker {
 public:
  Checker(TypeRecord& record, uint16_t abi_minor, bool has_functions)
      : record_(record), is_newer_(abi_minor > SLUICE_ABI_MINOR), has_functions_(has_functions) {}

  std::vector<std::string> run() {
    check_type();
    const std::string whole = where_;
    check_ports(whole);
    check_parameters(whole);
    check_statistics(whole);
    where_ = whole;
    check_adapting();
    return std::move(defects_);
  }

 private:
  void defect(std::string_view what) { defects_.push_back(fmt::format("{}: {}", where_, what)); }

  void check_flags(uint32_t& flags, uint32_t known) {
    if ((flags & ~known) == 0) return;
    if (is_newer_) {
      flags &= known;
    } else {
      defect(fmt::format("its flags {:#x} contain bits that ABI {}.{} does not have.", flags,
                         SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR));
    }
  }

  void check_enum(uint32_t value, uint32_t most, std::string_view what) {
    if (value >= 1 && value <= most) return;
    defect(fmt::format(
        "its {} is {}; {} 1 to {}.", what, value,
        is_newer_ ? "this Sluice, which is older than the plugin, knows" : "it must be", most));
  }

  void check_text(const char* text, std::string_view what) {
    if (!is_utf8(text)) defect(fmt::format("its {} is not valid UTF-8.", what));
  }

  template <typename Struct>
  void check_key(const Struct& element, std::set<std::string_view>& keys) {
    if (!is_key(element.key)) {
      defect(
          "its key must be lower-case letters, digits and _, begin with a letter and have at "
          "most 64 bytes.");
    }
    if (!keys.insert(element.key).second) defect("another one before it has the same key.");
  }

  void check_type() {
    sluice_type& type = record_.data;
    where_ = fmt::format("type {}", support::printable(type.id, kMostTypeIdBytes));
    if (!is_type_id(type.id) && !is_member_id(type.id)) {
      defect(
          "its id must be two or more words of lower-case letters, digits, _ and -, separated "
          "by dots, like filter.gate or com.example.filter.foo, and have at most 128 bytes.");
    }
    check_text(type.name, "name");
    check_text(type.description, "description");
    check_enum(type.execution, SLUICE_EXECUTION_DEVICE, "execution");
    check_flags(type.flags, kTypeFlags);
    if (!has_functions_) return;
    const sluice_node_functions* const functions = type.functions;
    if (functions == nullptr) {
      defect("its functions are null.");
      return;
    }
    const auto check_function = [&](bool is_there, std::string_view name) {
      if (!is_there) defect(fmt::format("its function {} is null.", name));
    };
    check_function(functions->create != nullptr, "create");
    check_function(functions->destroy != nullptr, "destroy");
    check_function(functions->prepare != nullptr, "prepare");
    check_function(functions->release != nullptr, "release");
    check_function(functions->get_interface != nullptr, "get_interface");
  }

  bool has_pcm(uint32_t direction) const {
    return std::any_of(record_.ports.begin(), record_.ports.end(), [&](const sluice_port& port) {
      return port.direction == direction && port.kind == SLUICE_PCM;
    });
  }

  void check_ports(const std::string& whole) {
    std::set<std::string_view> keys;
    for (std::size_t i = 0; i < record_.ports.size(); ++i) {
      sluice_port& port = record_.ports[i];
      where_ = fmt::format("{}, port {}", whole, support::printable(port.key, kMostKeyBytes));
      check_key(port, keys);
      check_text(port.description, "description");
      check_enum(port.direction, SLUICE_OUTPUT, "direction");
      check_enum(port.kind, SLUICE_PACKETS, "kind");
      check_enum(port.clock, SLUICE_CLOCK_REMOTE, "clock");
      check_flags(port.flags, kPortFlags);
      if (port.direction == SLUICE_OUTPUT && (port.flags & SLUICE_PORT_OPTIONAL) != 0) {
        defect("SLUICE_PORT_OPTIONAL is for inputs; any output may stay unconnected.");
      }
      if ((port.flags & SLUICE_PORT_SAME_FORMAT) != 0 &&
          (port.direction != SLUICE_OUTPUT || port.kind != SLUICE_PCM || !has_pcm(SLUICE_INPUT))) {
        defect("SLUICE_PORT_SAME_... is for PCM outputs of types that have a PCM input.");
      }
      if (port.kind == SLUICE_PACKETS && port.offer_count > 0) {
        defect("it carries packets, and format offers are for PCM ports.");
      }
      for (sluice_format_offer& offer : record_.offers[i]) check_offer(offer);
    }
  }

  void check_offer(sluice_format_offer& offer) {
    if (is_newer_) offer.sample_formats &= SLUICE_SAMPLE_ANY;
    if (offer.sample_formats == 0 || (offer.sample_formats & ~SLUICE_SAMPLE_ANY) != 0) {
      defect(fmt::format("an offer's sample_formats are {:#x}; combine SLUICE_SAMPLE_BIT(...).",
                         offer.sample_formats));
    }
    if (offer.preferred != SLUICE_SAMPLE_UNSET &&
        (offer.preferred >= 32 ||
         (offer.sample_formats & SLUICE_SAMPLE_BIT(offer.preferred)) == 0)) {
      defect("an offer prefers a sample format that it does not contain.");
    }
    if (offer.channels_minimum < 1 || offer.channels_minimum > offer.channels_maximum ||
        offer.channels_maximum > SLUICE_MAX_CHANNELS) {
      defect(fmt::format("an offer has {} to {} channels; possible are 1 to {}.",
                         offer.channels_minimum, offer.channels_maximum, SLUICE_MAX_CHANNELS));
    }
    if (offer.rate_hz_minimum < SLUICE_MIN_RATE_HZ ||
        offer.rate_hz_minimum > offer.rate_hz_maximum ||
        offer.rate_hz_maximum > SLUICE_MAX_RATE_HZ) {
      defect(fmt::format("an offer has rates of {} to {} Hz; possible are {} to {} Hz.",
                         offer.rate_hz_minimum, offer.rate_hz_maximum, SLUICE_MIN_RATE_HZ,
                         SLUICE_MAX_RATE_HZ));
    }
  }

  void check_parameters(const std::string& whole) {
    std::set<std::string_view> keys;
    for (std::size_t i = 0; i < record_.parameters.size(); ++i) {
      sluice_parameter& parameter = record_.parameters[i];
      where_ =
          fmt::format("{}, parameter {}", whole, support::printable(parameter.key, kMostKeyBytes));
      check_key(parameter, keys);
      check_text(parameter.unit, "unit");
      check_text(parameter.description, "description");
      check_enum(parameter.kind, SLUICE_MATRIX, "kind");
      check_flags(parameter.flags, kParameterFlags);
      check_use(parameter);
      check_value(parameter, record_.choices[i]);
    }
  }

  void check_use(const sluice_parameter& parameter) {
    const bool is_scalar = parameter.kind == SLUICE_NUMBER || parameter.kind == SLUICE_INTEGER ||
                           parameter.kind == SLUICE_BOOLEAN || parameter.kind == SLUICE_CHOICE;
    if ((parameter.flags & SLUICE_PARAMETER_LIVE) != 0 && !is_scalar) {
      defect("only numbers, integers, booleans and choices can be live.");
    }
    constexpr uint32_t kPaths = SLUICE_PARAMETER_INPUT_PATH | SLUICE_PARAMETER_OUTPUT_PATH;
    if ((parameter.flags & kPaths) != 0 && parameter.kind != SLUICE_TEXT) {
      defect("only a text can be a path.");
    }
    if ((parameter.flags & kPaths) == kPaths) defect("it is both an input and an output path.");
    check_claim(parameter);
    if (parameter.kind != SLUICE_CHOICE && parameter.choice_count > 0) {
      defect("it has choices, but is no choice.");
    }
  }

  void check_claim(const sluice_parameter& parameter) {
    if (parameter.claim != nullptr && *parameter.claim == '\0') {
      defect("its claim is empty; it must be a name or null.");
    }
    if (parameter.claim_when == nullptr) return;
    const std::string_view when = parameter.claim_when;
    const std::string_view key = when.substr(0, when.find('='));
    for (std::size_t i = 0; i < record_.parameters.size() && key != when; ++i) {
      const sluice_parameter& other = record_.parameters[i];
      if (&other == &parameter || key != other.key) continue;
      const std::string_view value = when.substr(key.size() + 1);
      const auto& choices = record_.choices[i];
      if (other.kind != SLUICE_CHOICE ||
          std::find(choices.begin(), choices.end(), value) != choices.end()) {
        return;
      }
    }
    defect(
        fmt::format("its claim_when \"{}\" must be another parameter's key, = and one of its "
                    "values.",
                    support::printable(when, 128)));
  }

  void check_value(const sluice_parameter& parameter, const std::vector<const char*>& choices) {
    const bool has_default = (parameter.flags & SLUICE_PARAMETER_REQUIRED) == 0;
    switch (parameter.kind) {
      case SLUICE_INTEGER:
        if (has_default && !is_whole(parameter.default_number)) {
          defect(fmt::format("its default {} is not a whole number of at most 2^53.",
                             parameter.default_number));
          return;
        }
        [[fallthrough]];
      case SLUICE_NUMBER:
        if (!check_range(parameter) || !has_default) return;
        if (!(parameter.default_number >= parameter.minimum &&
              parameter.default_number <= parameter.maximum)) {
          defect(fmt::format("its default {} is outside {} to {}.", parameter.default_number,
                             parameter.minimum, parameter.maximum));
        }
        return;
      case SLUICE_BOOLEAN:
        if (has_default && parameter.default_number != 0.0 && parameter.default_number != 1.0) {
          defect(fmt::format("its default {} is neither 0 nor 1.", parameter.default_number));
        }
        return;
      case SLUICE_TEXT:
        check_text(parameter.default_text, "default");
        return;
      case SLUICE_CHOICE:
        check_choices(parameter, choices, has_default);
        return;
      case SLUICE_LIST:
      case SLUICE_MATRIX:
        check_range(parameter);
        return;
      default:
        return;  // said by check_enum
    }
  }

  bool check_range(const sluice_parameter& parameter) {
    if (parameter.minimum <= parameter.maximum) return true;  // false for NaN too
    defect(fmt::format("its range {} to {} is empty.", parameter.minimum, parameter.maximum));
    return false;
  }

  void check_choices(const sluice_parameter& parameter, const std::vector<const char*>& choices,
                     bool has_default) {
    if (choices.empty()) {
      defect("it is a choice without choices.");
      return;
    }
    std::set<std::string_view> seen;
    for (const char* const choice : choices) {
      check_text(choice, "choice");
      if (*choice == '\0') defect("a choice is empty.");
      if (!seen.insert(choice).second) {
        defect(fmt::format("the choice {} comes twice.", support::printable(choice)));
      }
    }
    const double index = parameter.default_number;
    if (has_default && !(index >= 0.0 && index < static_cast<double>(choices.size()) &&
                         std::trunc(index) == index)) {
      defect(fmt::format("its default {} is no index of its {} choices.", index, choices.size()));
    }
  }

  void check_statistics(const std::string& whole) {
    std::set<std::string_view> keys;
    for (const sluice_statistic& statistic : record_.statistics) {
      where_ =
          fmt::format("{}, statistic {}", whole, support::printable(statistic.key, kMostKeyBytes));
      check_key(statistic, keys);
      check_enum(statistic.kind, SLUICE_GAUGE, "kind");
      check_text(statistic.unit, "unit");
      check_text(statistic.description, "description");
      if (statistic.against != nullptr && !has_parameter(statistic.against)) {
        defect(fmt::format("it is measured against {}, which is no parameter of the type.",
                           support::printable(statistic.against, kMostKeyBytes)));
      }
    }
  }

  bool has_parameter(std::string_view key) const {
    return std::any_of(record_.parameters.begin(), record_.parameters.end(),
                       [&](const sluice_parameter& parameter) { return parameter.key == key; });
  }

  // What the host relies on when it forwards marks through a type or inserts it by itself.
  void check_adapting() {
    const sluice_type& type = record_.data;
    const auto check = [&](uint32_t flag, std::string_view name, std::string_view key) {
      if ((type.flags & flag) == 0 || has_parameter(key)) return;
      defect(fmt::format("{} needs a parameter named {}.", name, key));
    };
    check(SLUICE_TYPE_ADAPTS_SAMPLE_FORMAT, "SLUICE_TYPE_ADAPTS_SAMPLE_FORMAT", "format");
    check(SLUICE_TYPE_ADAPTS_RATE, "SLUICE_TYPE_ADAPTS_RATE", "rate_hz");
    check(SLUICE_TYPE_ADAPTS_CHANNELS, "SLUICE_TYPE_ADAPTS_CHANNELS", "channels");
    if ((type.flags & SLUICE_TYPE_EQUAL_COUNTS) != 0 &&
        !(has_pcm(SLUICE_INPUT) && has_pcm(SLUICE_OUTPUT))) {
      defect("SLUICE_TYPE_EQUAL_COUNTS needs a PCM input and a PCM output.");
    }
  }

  TypeRecord& record_;
  const bool is_newer_;
  const bool has_functions_;
  std::string where_;
  std::vector<std::string> defects_;
};

}  // namespace

bool is_type_id(std::string_view id) {
  if (id.empty() || id.size() > kMostTypeIdBytes || !is_lower(id[0])) return false;
  bool is_label_start = true;
  int dots = 0;
  for (const char c : id) {
    if (c == '.') {
      if (is_label_start) return false;
      ++dots;
      is_label_start = true;
    } else if (is_lower(c) || is_digit(c) || (!is_label_start && (c == '_' || c == '-'))) {
      is_label_start = false;
    } else {
      return false;
    }
  }
  return dots > 0 && !is_label_start;
}

bool is_member_id(std::string_view id) {
  constexpr std::string_view kForbidden = "\"'`\\";
  const size_t slash = id.find('/');
  if (slash == std::string_view::npos || !is_type_id(id.substr(0, slash))) return false;
  const std::string_view name = id.substr(slash + 1);
  return !name.empty() && name.size() <= kMostMemberNameBytes &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return c > ' ' && c < '\x7F' && kForbidden.find(c) == std::string_view::npos;
         });
}

bool is_key(std::string_view key) {
  if (key.empty() || key.size() > kMostKeyBytes || !is_lower(key[0])) return false;
  return std::all_of(key.begin(), key.end(),
                     [](char c) { return is_lower(c) || is_digit(c) || c == '_'; });
}

std::vector<std::string> check_type(TypeRecord& record, uint16_t abi_minor, bool has_functions) {
  return Checker(record, abi_minor, has_functions).run();
}

}  // namespace sluice::loader
