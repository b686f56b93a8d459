#include "ladspa_library.hpp"

#include <dlfcn.h>
#include <ladspa.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <sluice/node.hpp>
#include <system_error>

namespace hosted {
namespace {

namespace fs = std::filesystem;

// What a bound means that the plugin does not give: enough for every control met.
constexpr double kUnbounded = 1e6;
constexpr unsigned long kMostPorts = 1024;

// Loaded for good: nothing says that a plugin can be unloaded.
LADSPA_Descriptor_Function open_library(const std::string& file, std::string& why) {
  static auto* const known = new std::map<std::string, LADSPA_Descriptor_Function>;
  if (const auto found = known->find(file); found != known->end()) return found->second;
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* const symbol = library ? ::dlsym(library, "ladspa_descriptor") : nullptr;
  if (!symbol) {
    const char* const said = ::dlerror();
    why = said ? said : file + " has no ladspa_descriptor";
    if (library) ::dlclose(library);
    return nullptr;
  }
  return (*known)[file] = reinterpret_cast<LADSPA_Descriptor_Function>(symbol);
}

struct Found {
  std::string file;
  const LADSPA_Descriptor* descriptor;
};

double initial_of(LADSPA_PortRangeHintDescriptor hint, double low, double high) {
  const bool is_logarithmic = LADSPA_IS_HINT_LOGARITHMIC(hint) && low > 0.0 && high > 0.0;
  // ladspa.h, "default values".
  const auto between = [&](double share) {
    return is_logarithmic ? std::exp(std::log(low) * (1.0 - share) + std::log(high) * share)
                          : low * (1.0 - share) + high * share;
  };
  if (LADSPA_IS_HINT_DEFAULT_MINIMUM(hint)) return low;
  if (LADSPA_IS_HINT_DEFAULT_LOW(hint)) return between(0.25);
  if (LADSPA_IS_HINT_DEFAULT_MIDDLE(hint)) return between(0.5);
  if (LADSPA_IS_HINT_DEFAULT_HIGH(hint)) return between(0.75);
  if (LADSPA_IS_HINT_DEFAULT_MAXIMUM(hint)) return high;
  if (LADSPA_IS_HINT_DEFAULT_1(hint)) return 1.0;
  if (LADSPA_IS_HINT_DEFAULT_100(hint)) return 100.0;
  if (LADSPA_IS_HINT_DEFAULT_440(hint)) return 440.0;
  return std::clamp(0.0, low, high);
}

Control control_of(const LADSPA_Descriptor& descriptor, uint32_t port, const std::string& key) {
  const LADSPA_PortRangeHint& range = descriptor.PortRangeHints[port];
  const LADSPA_PortRangeHintDescriptor hint = range.HintDescriptor;
  Control control;
  control.port = port;
  control.name = descriptor.PortNames[port];
  control.unit = unit_in(control.name);
  control.key = key;
  control.scales_with_rate = LADSPA_IS_HINT_SAMPLE_RATE(hint);
  const double factor = control.scales_with_rate ? kUsualRateHz : 1.0;
  const auto bound = [&](bool is_there, double value, double otherwise) {
    return is_there && std::isfinite(value) ? value * factor : otherwise;
  };
  control.minimum = bound(LADSPA_IS_HINT_BOUNDED_BELOW(hint), exact(range.LowerBound), -kUnbounded);
  control.maximum = bound(LADSPA_IS_HINT_BOUNDED_ABOVE(hint), exact(range.UpperBound), kUnbounded);
  if (control.minimum > control.maximum) std::swap(control.minimum, control.maximum);
  control.initial = std::clamp(initial_of(hint, control.minimum, control.maximum), control.minimum,
                               control.maximum);
  if (LADSPA_IS_HINT_TOGGLED(hint)) {
    control.kind = Control::Kind::kToggle;
    control.initial = control.initial > 0.0 ? 1.0 : 0.0;
  } else if (LADSPA_IS_HINT_INTEGER(hint)) {
    control.kind = Control::Kind::kInteger;
    control.minimum = std::ceil(control.minimum);
    control.maximum = std::max(control.minimum, std::floor(control.maximum));
    control.initial = std::clamp(std::round(control.initial), control.minimum, control.maximum);
  }
  return control;
}

bool is_latency(std::string_view name) { return name == "latency" || name == "_latency"; }

Guest guest_of(const LADSPA_Descriptor& descriptor) {
  Guest guest;
  guest.name = descriptor.Label;
  guest.title = descriptor.Name ? descriptor.Name : descriptor.Label;
  guest.maker = descriptor.Maker ? descriptor.Maker : "";
  guest.licence = descriptor.Copyright ? descriptor.Copyright : "";
  if (descriptor.PortCount > kMostPorts) {
    guest.remark = "It has more ports than are believed.";
    return guest;
  }
  std::vector<std::string> keys{"label"}, meters;
  for (uint32_t port = 0; port < descriptor.PortCount; ++port) {
    const LADSPA_PortDescriptor kind = descriptor.PortDescriptors[port];
    const std::string name = descriptor.PortNames[port];
    if (LADSPA_IS_PORT_AUDIO(kind)) {
      (LADSPA_IS_PORT_INPUT(kind) ? guest.audio_in : guest.audio_out).push_back(port);
    } else if (LADSPA_IS_PORT_INPUT(kind)) {
      keys.push_back(key_of(name, keys));
      guest.controls.push_back(control_of(descriptor, port, keys.back()));
    } else if (!is_latency(name)) {
      meters.push_back(key_of(name, meters));
      guest.meters.push_back({port, meters.back(), name, unit_in(name)});
    }
  }
  guest.remark = why_no_filter(guest);
  return guest;
}

// Calls `visit(file, descriptor)` for every plugin, until it answers true.
template <typename Visit>
void visit_all(const Visit& visit, const std::function<void(const std::string&)>& remark) {
  std::set<std::string> seen;
  for (const std::string& folder : ladspa_folders()) {
    std::vector<std::string> files;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      if (entry->path().extension() == ".so") files.push_back(entry->path().string());
    }
    std::sort(files.begin(), files.end());
    for (const std::string& file : files) {
      if (!seen.insert(fs::path(file).filename().string()).second) continue;
      std::string why;
      const auto descriptors = open_library(file, why);
      if (!descriptors) {
        if (remark) remark("Left out: " + why + ".");
        continue;
      }
      for (unsigned long i = 0; const LADSPA_Descriptor* descriptor = descriptors(i); ++i) {
        if (descriptor->Label && visit(file, *descriptor)) return;
      }
    }
  }
}

Found find_descriptor(std::string_view name) {
  const size_t slash = name.find('/');
  const std::string_view stem = slash == std::string_view::npos ? "" : name.substr(0, slash);
  const std::string_view label = slash == std::string_view::npos ? name : name.substr(slash + 1);
  Found found{{}, nullptr};
  visit_all(
      [&](const std::string& file, const LADSPA_Descriptor& descriptor) {
        if (!stem.empty() && fs::path(file).stem() != stem) return false;
        if (label != descriptor.Label) return false;
        found = {file, &descriptor};
        return true;
      },
      {});
  if (!found.descriptor) {
    std::string folders;
    for (const std::string& folder : ladspa_folders()) {
      folders += (folders.empty() ? "" : ", ") + folder;
    }
    throw sluice::Failure{
        SLUICE_ERROR_NOT_FOUND,
        "There is no LADSPA plugin " + std::string(name) +
            "; 'sluice plugins --hosted' lists those there are. Searched: " + folders + "."};
  }
  return found;
}

class LadspaInstance final : public Instance {
 public:
  LadspaInstance(const LADSPA_Descriptor& descriptor, uint32_t rate_hz)
      : descriptor_(descriptor), handle_(descriptor.instantiate(&descriptor, rate_hz)) {
    if (!handle_) {
      throw sluice::Failure{SLUICE_ERROR_INTERNAL, std::string(descriptor.Label) +
                                                       " could not be started at " +
                                                       std::to_string(rate_hz) + " Hz."};
    }
    for (uint32_t port = 0; port < descriptor.PortCount; ++port) {
      const LADSPA_PortDescriptor kind = descriptor.PortDescriptors[port];
      if (!LADSPA_IS_PORT_CONTROL(kind) || !LADSPA_IS_PORT_OUTPUT(kind)) continue;
      if (is_latency(descriptor.PortNames[port])) connect(port, &latency_);
    }
  }
  ~LadspaInstance() override {
    if (descriptor_.cleanup) descriptor_.cleanup(handle_);
  }

  void connect(uint32_t port, float* data) override {
    descriptor_.connect_port(handle_, port, data);
  }
  void activate() override {
    if (descriptor_.activate) descriptor_.activate(handle_);
  }
  void deactivate() override {
    if (descriptor_.deactivate) descriptor_.deactivate(handle_);
  }
  void run(uint32_t frames) override { descriptor_.run(handle_, frames); }
  double latency() const override { return latency_; }

 private:
  const LADSPA_Descriptor& descriptor_;
  LADSPA_Handle handle_;
  float latency_ = 0.0F;
};

}  // namespace

std::vector<std::string> ladspa_folders() {
  std::string path;
  if (const char* const given = ::secure_getenv("LADSPA_PATH")) path = given;
  if (path.empty()) {
    path = "/usr/local/lib/ladspa:/usr/lib/" HOSTED_MULTIARCH "/ladspa:/usr/lib/ladspa";
    if (const char* const home = ::secure_getenv("HOME")) {
      path = std::string(home) + "/.ladspa:" + path;
    }
  }
  std::vector<std::string> folders;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find(':', begin), path.size());
    if (end > begin) folders.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return folders;
}

std::vector<Guest> ladspa_guests(const std::function<void(const std::string&)>& remark) {
  std::vector<Guest> guests;
  std::set<std::string> labels;
  visit_all(
      [&](const std::string& file, const LADSPA_Descriptor& descriptor) {
        Guest& guest = guests.emplace_back(guest_of(descriptor));
        if (!labels.insert(guest.name).second) {
          guest.name = fs::path(file).stem().string() + "/" + guest.name;
        }
        return false;
      },
      remark);
  return guests;
}

Guest ladspa_guest(std::string_view name) {
  Guest guest = guest_of(*find_descriptor(name).descriptor);
  guest.name = name;
  return guest;
}

std::unique_ptr<Instance> make_ladspa(const Guest& guest, uint32_t rate_hz) {
  return std::make_unique<LadspaInstance>(*find_descriptor(guest.name).descriptor, rate_hz);
}

}  // namespace hosted
