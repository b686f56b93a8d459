#include "lv2_world.hpp"

#include <lilv/lilv.h>
#include <lv2/atom/atom.h>
#include <lv2/core/lv2.h>
#include <lv2/port-groups/port-groups.h>
#include <lv2/port-props/port-props.h>
#include <lv2/resize-port/resize-port.h>
#include <lv2/units/units.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <sluice/node.hpp>
#include <utility>

#include "lv2_features.hpp"
#include "rack.hpp"

namespace hosted {
namespace {

// What a bound means that the plugin does not give: enough for every control met.
constexpr double kUnbounded = 1e6;
constexpr uint32_t kAtomBytes = 65536;

struct FreeNode {
  void operator()(LilvNode* node) const { lilv_node_free(node); }
};
using Node = std::unique_ptr<LilvNode, FreeNode>;

// What lilv knows of the machine; read once, by whoever asks first.
class World {
 public:
  static World& get() {
    static auto* const world = new World;
    return *world;
  }
  std::mutex mutex;

  const LilvNode* uri(const char* text) {
    Node& node = uris_[text];
    if (!node) node.reset(lilv_new_uri(world_, text));
    return node.get();
  }
  const LilvPlugins* plugins() const { return lilv_world_get_all_plugins(world_); }
  LilvWorld* operator*() const { return world_; }

 private:
  World() : world_(lilv_world_new()) { lilv_world_load_all(world_); }

  LilvWorld* world_;
  std::map<std::string, Node> uris_;
};

std::string text(const LilvNode* node) {
  const char* const string = node ? lilv_node_as_string(node) : nullptr;
  return string ? string : "";
}

// "http://lv2plug.in/ns/extensions/units#db" and the others, as a person writes them.
std::string unit_of(World& world, const LilvPlugin* plugin, const LilvPort* port) {
  const Node unit(lilv_port_get(plugin, port, world.uri(LV2_UNITS__unit)));
  if (!unit) return unit_in(text(Node(lilv_port_get_name(plugin, port)).get()));
  static const std::map<std::string, const char*> known = {
      {LV2_UNITS__db, "dB"},        {LV2_UNITS__hz, "Hz"},
      {LV2_UNITS__khz, "kHz"},      {LV2_UNITS__mhz, "MHz"},
      {LV2_UNITS__ms, "ms"},        {LV2_UNITS__s, "s"},
      {LV2_UNITS__pc, "%"},         {LV2_UNITS__degree, "degrees"},
      {LV2_UNITS__cent, "cents"},   {LV2_UNITS__bpm, "bpm"},
      {LV2_UNITS__frame, "frames"}, {LV2_UNITS__m, "m"},
      {LV2_UNITS__cm, "cm"},        {LV2_UNITS__mm, "mm"},
      {LV2_UNITS__min, "min"},      {LV2_UNITS__semitone12TET, "semitones"}};
  const auto found = known.find(text(unit.get()));
  if (found != known.end()) return found->second;
  // One of the plugin's own has a symbol.
  const Node symbol(lilv_world_get(*world, unit.get(), world.uri(LV2_UNITS__symbol), nullptr));
  return text(symbol.get());
}

double number_or(const LilvNode* node, double otherwise) {
  if (!node || (!lilv_node_is_float(node) && !lilv_node_is_int(node))) return otherwise;
  const double value = exact(lilv_node_as_float(node));
  return std::isfinite(value) ? value : otherwise;
}

class Reader {
 public:
  Reader(World& world, const LilvPlugin* plugin) : world_(world), plugin_(plugin) {}

  Guest read() {
    Guest guest;
    guest.name = text(lilv_plugin_get_uri(plugin_));
    guest.title = text(Node(lilv_plugin_get_name(plugin_)).get());
    if (guest.title.empty()) guest.title = guest.name;
    guest.maker = text(Node(lilv_plugin_get_author_name(plugin_)).get());
    guest.licence = licence();
    guest.remark = missing_feature();
    latency_ = lilv_plugin_has_latency(plugin_)
                   ? static_cast<int64_t>(lilv_plugin_get_latency_port_index(plugin_))
                   : -1;
    for (uint32_t port = 0; port < lilv_plugin_get_num_ports(plugin_); ++port) add(port, guest);
    if (guest.remark.empty()) guest.remark = why_no_filter(guest);
    return guest;
  }

 private:
  std::string licence() const {
    const Node node(lilv_world_get(*world_, lilv_plugin_get_uri(plugin_),
                                   world_.uri("http://usefulinc.com/ns/doap#license"), nullptr));
    return text(node.get());
  }

  std::string missing_feature() const {
    LilvNodes* const required = lilv_plugin_get_required_features(plugin_);
    std::string missing;
    LILV_FOREACH(nodes, i, required) {
      const std::string uri = text(lilv_nodes_get(required, i));
      if (!is_feature(uri)) missing = "It needs " + uri + ", which is not offered here.";
    }
    lilv_nodes_free(required);
    return missing;
  }

  bool is_a(const LilvPort* port, const char* uri) const {
    return lilv_port_is_a(plugin_, port, world_.uri(uri));
  }
  bool has(const LilvPort* port, const char* uri) const {
    return lilv_port_has_property(plugin_, port, world_.uri(uri));
  }
  bool is_side_chain(const LilvPort* port) const {
    if (has(port, LV2_CORE_PREFIX "isSideChain")) return true;
    const Node group(lilv_port_get(plugin_, port, world_.uri(LV2_PORT_GROUPS__group)));
    return group &&
           lilv_world_ask(*world_, group.get(), world_.uri(LV2_PORT_GROUPS__sideChainOf), nullptr);
  }

  void add(uint32_t index, Guest& guest) {
    const LilvPort* const port = lilv_plugin_get_port_by_index(plugin_, index);
    const bool is_input = is_a(port, LV2_CORE__InputPort);
    if (is_a(port, LV2_CORE__AudioPort)) {
      const bool is_left_out = has(port, LV2_CORE__connectionOptional) || is_side_chain(port);
      if (!is_left_out || !is_input) (is_input ? guest.audio_in : guest.audio_out).push_back(index);
    } else if (is_a(port, LV2_CORE__ControlPort)) {
      if (is_input) {
        guest.controls.push_back(control(index, port));
      } else if (static_cast<int64_t>(index) != latency_) {
        meters_.push_back(key_of(text(lilv_port_get_symbol(plugin_, port)), meters_));
        guest.meters.push_back({index, meters_.back(), name(port), unit_of(world_, plugin_, port)});
      }
    } else if (!is_a(port, LV2_ATOM__AtomPort) && !is_a(port, LV2_CORE__CVPort) &&
               !has(port, LV2_CORE__connectionOptional) && guest.remark.empty()) {
      guest.remark = "Its port " + name(port) + " is of a kind that is not offered here.";
    }
  }

  std::string name(const LilvPort* port) const {
    return text(Node(lilv_port_get_name(plugin_, port)).get());
  }

  Control control(uint32_t index, const LilvPort* port) {
    Control control;
    control.port = index;
    control.name = name(port);
    control.unit = unit_of(world_, plugin_, port);
    keys_.push_back(key_of(text(lilv_port_get_symbol(plugin_, port)), keys_));
    control.key = keys_.back();
    LilvNode *initial = nullptr, *least = nullptr, *most = nullptr;
    lilv_port_get_range(plugin_, port, &initial, &least, &most);
    control.scales_with_rate = has(port, LV2_CORE__sampleRate);
    const double factor = control.scales_with_rate ? kUsualRateHz : 1.0;
    control.minimum = number_or(least, -kUnbounded / factor) * factor;
    control.maximum = number_or(most, kUnbounded / factor) * factor;
    if (control.minimum > control.maximum) std::swap(control.minimum, control.maximum);
    control.initial =
        std::clamp(number_or(initial, 0.0) * factor, control.minimum, control.maximum);
    for (LilvNode* node : {initial, least, most}) lilv_node_free(node);
    control.is_live =
        !has(port, LV2_PORT_PROPS__expensive) && !has(port, LV2_PORT_PROPS__causesArtifacts);
    if (has(port, LV2_CORE__toggled)) {
      control.kind = Control::Kind::kToggle;
      control.minimum = 0.0;
      control.maximum = 1.0;
    } else if (has(port, LV2_CORE__enumeration)) {
      read_choices(port, control);
    } else if (has(port, LV2_CORE__integer)) {
      control.kind = Control::Kind::kInteger;
      control.minimum = std::ceil(control.minimum);
      control.maximum = std::max(control.minimum, std::floor(control.maximum));
      control.initial = std::clamp(std::round(control.initial), control.minimum, control.maximum);
    }
    return control;
  }

  void read_choices(const LilvPort* port, Control& control) const {
    LilvScalePoints* const points = lilv_port_get_scale_points(plugin_, port);
    if (!points) return;
    std::map<double, std::string> choices;
    LILV_FOREACH(scale_points, i, points) {
      const LilvScalePoint* const point = lilv_scale_points_get(points, i);
      const double value = number_or(lilv_scale_point_get_value(point), NAN);
      std::string label = text(lilv_scale_point_get_label(point));
      if (std::isnan(value) || label.empty()) continue;
      choices.emplace(value, std::move(label));
    }
    lilv_scale_points_free(points);
    if (choices.empty()) return;
    control.kind = Control::Kind::kChoice;
    for (auto& [value, label] : choices) {
      const bool is_there =
          std::find(control.choices.begin(), control.choices.end(), label) != control.choices.end();
      control.choices.push_back(
          is_there ? label + " (" + std::to_string(control.choices.size()) + ")" : label);
      control.values.push_back(value);
    }
  }

  World& world_;
  const LilvPlugin* const plugin_;
  std::vector<std::string> keys_{"uri"}, meters_;
  int64_t latency_ = -1;
};

const LilvPlugin* find_plugin(World& world, std::string_view uri) {
  const Node node(lilv_new_uri(*world, std::string(uri).c_str()));
  const LilvPlugin* const plugin =
      node ? lilv_plugins_get_by_uri(world.plugins(), node.get()) : nullptr;
  if (!plugin) {
    throw sluice::Failure{SLUICE_ERROR_NOT_FOUND,
                          "There is no LV2 plugin " + std::string(uri) +
                              "; 'sluice plugins --hosted' lists those there are."};
  }
  return plugin;
}

class Lv2Instance final : public Instance {
 public:
  Lv2Instance(World& world, const LilvPlugin* plugin, uint32_t rate_hz)
      : features_(rate_hz, Rack::kBlockFrames, worker_.schedule()),
        instance_(lilv_plugin_instantiate(plugin, rate_hz, features_.list())) {
    if (!instance_) {
      throw sluice::Failure{SLUICE_ERROR_INTERNAL, text(lilv_plugin_get_uri(plugin)) +
                                                       " could not be started at " +
                                                       std::to_string(rate_hz) + " Hz."};
    }
    connect_others(world, plugin);
    work_ = static_cast<const LV2_Worker_Interface*>(
        lilv_instance_get_extension_data(instance_, LV2_WORKER__interface));
  }
  ~Lv2Instance() override {
    worker_.stop();
    lilv_instance_free(instance_);
  }

  void connect(uint32_t port, float* data) override {
    lilv_instance_connect_port(instance_, port, data);
  }
  void activate() override {
    lilv_instance_activate(instance_);
    if (work_ && work_->work) worker_.start(lilv_instance_get_handle(instance_), *work_);
  }
  void deactivate() override {
    worker_.stop();
    lilv_instance_deactivate(instance_);
  }
  void run(uint32_t frames) override {
    for (AtomPort& port : atoms_) port.clear();
    lilv_instance_run(instance_, frames);
    worker_.hand_over();
  }
  double latency() const override { return static_cast<double>(latency_); }

 private:
  // Events, of which there are none.
  struct AtomPort {
    std::vector<uint64_t> bytes;  // aligned as atoms have to be
    bool is_input;
    LV2_URID sequence, chunk;
    void clear() {
      auto* const atom = reinterpret_cast<LV2_Atom_Sequence*>(bytes.data());
      atom->atom.type = is_input ? sequence : chunk;
      atom->atom.size =
          is_input ? static_cast<uint32_t>(sizeof(LV2_Atom_Sequence_Body))
                   : static_cast<uint32_t>(bytes.size() * sizeof(uint64_t) - sizeof(LV2_Atom));
      atom->body.unit = 0;
      atom->body.pad = 0;
    }
  };

  // Ports that nobody else knows of: events, voltages, side chains, the latency.
  void connect_others(World& world, const LilvPlugin* plugin) {
    const uint32_t count = lilv_plugin_get_num_ports(plugin);
    const int64_t latency = lilv_plugin_has_latency(plugin)
                                ? static_cast<int64_t>(lilv_plugin_get_latency_port_index(plugin))
                                : -1;
    atoms_.reserve(count);
    for (uint32_t index = 0; index < count; ++index) {
      const LilvPort* const port = lilv_plugin_get_port_by_index(plugin, index);
      const auto is_a = [&](const char* uri) {
        return lilv_port_is_a(plugin, port, world.uri(uri));
      };
      const bool is_input = is_a(LV2_CORE__InputPort);
      if (is_a(LV2_ATOM__AtomPort)) {
        const Node least(lilv_port_get(plugin, port, world.uri(LV2_RESIZE_PORT__minimumSize)));
        const double bytes = std::max(number_or(least.get(), 0.0), double{kAtomBytes});
        AtomPort& made = atoms_.emplace_back();
        made.bytes.resize(static_cast<size_t>(bytes) / sizeof(uint64_t) + 1);
        made.is_input = is_input;
        made.sequence = urid_of(LV2_ATOM__Sequence);
        made.chunk = urid_of(LV2_ATOM__Chunk);
        made.clear();
        lilv_instance_connect_port(instance_, index, made.bytes.data());
      } else if (static_cast<int64_t>(index) == latency) {
        lilv_instance_connect_port(instance_, index, &latency_);
      } else if (is_a(LV2_CORE__AudioPort) || is_a(LV2_CORE__CVPort)) {
        // Silence in, and nobody listens; what the rack knows of it connects anew.
        auto& buffer = silences_.emplace_back(Rack::kBlockFrames, 0.0F);
        lilv_instance_connect_port(instance_, index, buffer.data());
      } else if (!is_a(LV2_CORE__ControlPort)) {
        lilv_instance_connect_port(instance_, index, nullptr);
      }
    }
  }

  Lv2Worker worker_;
  Lv2Features features_;
  LilvInstance* instance_;
  const LV2_Worker_Interface* work_ = nullptr;
  std::vector<AtomPort> atoms_;
  std::vector<std::vector<float>> silences_;
  float latency_ = 0.0F;
};

}  // namespace

std::vector<Guest> lv2_guests() {
  World& world = World::get();
  const std::lock_guard lock(world.mutex);
  std::vector<Guest> guests;
  LILV_FOREACH(plugins, i, world.plugins()) {
    guests.push_back(Reader(world, lilv_plugins_get(world.plugins(), i)).read());
  }
  return guests;
}

Guest lv2_guest(std::string_view uri) {
  World& world = World::get();
  const std::lock_guard lock(world.mutex);
  return Reader(world, find_plugin(world, uri)).read();
}

std::unique_ptr<Instance> make_lv2(const Guest& guest, uint32_t rate_hz) {
  World& world = World::get();
  const std::lock_guard lock(world.mutex);
  return std::make_unique<Lv2Instance>(world, find_plugin(world, guest.name), rate_hz);
}

}  // namespace hosted
