#include "tests/support/graph_catalog.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace sluice::test {
namespace {

using graph::Claim;
using graph::Matrix;
using graph::NodeType;
using graph::Parameter;
using graph::ParameterKind;
using graph::PathUse;
using graph::Port;
using graph::PortDirection;
using graph::PortKind;

Port in(std::string key = "in", PortKind kind = PortKind::kPcm, bool optional = false) {
  return {std::move(key), PortDirection::kInput, kind, optional, "What comes in."};
}

Port out(std::string key = "out", PortKind kind = PortKind::kPcm) {
  return {std::move(key), PortDirection::kOutput, kind, false, "What goes out."};
}

Parameter number(std::string key, std::string unit, double minimum, double maximum, double value,
                 bool live = false) {
  Parameter p;
  p.key = std::move(key);
  p.kind = ParameterKind::kNumber;
  p.unit = std::move(unit);
  p.minimum = minimum;
  p.maximum = maximum;
  p.default_value = value;
  p.live = live;
  p.description = "A number.";
  return p;
}

Parameter integer(std::string key, double minimum, double maximum, std::int64_t value) {
  Parameter p = number(std::move(key), "", minimum, maximum, 0);
  p.kind = ParameterKind::kInteger;
  p.default_value = value;
  return p;
}

Parameter text(std::string key, std::string value) {
  Parameter p;
  p.key = std::move(key);
  p.kind = ParameterKind::kText;
  p.default_value = std::move(value);
  p.description = "A text.";
  return p;
}

Parameter required(Parameter p, std::string description) {
  p.required = true;
  p.default_value.reset();
  p.description = std::move(description);
  return p;
}

Parameter path(PathUse use) {
  Parameter p = required(text("path", ""), "the file");
  p.path = use;
  return p;
}

Parameter boolean(std::string key, bool value, bool live = false) {
  Parameter p;
  p.key = std::move(key);
  p.kind = ParameterKind::kBoolean;
  p.default_value = value;
  p.live = live;
  return p;
}

Parameter choice(std::string key, std::vector<std::string> choices) {
  Parameter p;
  p.key = std::move(key);
  p.kind = ParameterKind::kChoice;
  p.default_value = choices.front();
  p.choices = std::move(choices);
  return p;
}

Parameter secret() {
  Parameter p = text("password", "");
  p.secret = true;
  return p;
}

NodeType type(std::string id, std::vector<Port> ports, std::vector<Parameter> parameters,
              std::vector<Claim> claims = {}) {
  NodeType t;
  t.name = id;
  t.id = std::move(id);
  t.description = "For tests.";
  t.ports = std::move(ports);
  t.parameters = std::move(parameters);
  t.claims = std::move(claims);
  return t;
}

graph::Catalog make() {
  graph::Catalog catalog;
  const auto add = [&catalog](NodeType t) {
    if (const support::Status status = catalog.add(std::move(t)); !status) {
      std::fprintf(stderr, "%s\n", status.error().message.c_str());
      std::abort();
    }
  };
  add(type("source.wav", {out()},
           {path(PathUse::kInput), number("start_ms", "ms", 0, 1e9, 0), boolean("loop", false)}));
  add(type(
      "source.tone", {out()},
      {choice("wave", {"sine", "white", "pink"}), number("frequency_hz", "Hz", 1, 96000, 440, true),
       number("level_db", "dB", -120, 0, -20), integer("channels", 1, 32, 2)}));
  const Claim listens{
      "TCP port", {{"host", {"0.0.0.0"}, {}}, {"port", {}, {"0"}}}, "mode", "listen"};
  add(type("source.tcp", {out()},
           {choice("mode", {"listen", "connect"}), text("host", "0.0.0.0"),
            integer("port", 0, 65535, 4953), secret()},
           {listens}));
  add(type("filter.gate", {in(), out()},
           {number("open_db", "dB", -120, 0, -50, true),
            number("hold_ms", "ms", 0, 60000, 500, true), choice("closed", {"nothing", "zeros"})}));
  add(type("filter.gain", {in(), out()},
           {number("gain_db", "dB", -120, 20, 0, true), boolean("mute", false, true),
            choice("limiter", {"off", "on"})}));
  Parameter map = number("map", "", 0, 31, 0);
  map.kind = ParameterKind::kList;
  map.default_value = std::vector<double>{0, 1};
  Parameter mix = number("mix", "", -2, 2, 0);
  mix.kind = ParameterKind::kMatrix;
  mix.default_value = Matrix();
  add(type("filter.channels", {in(), out()}, {map, mix}));
  add(type("filter.split", {in(), out("low"), out("high")}, {}));
  add(type("filter.mix", {in("main"), in("side", PortKind::kPcm, true), out()}, {}));
  add(type("codec.encode", {in(), out("packets", PortKind::kPackets)}, {}));
  add(type("codec.decode", {in("packets", PortKind::kPackets), out()}, {}));
  add(type("sink.wav", {in()}, {path(PathUse::kOutput), choice("format", {"s16", "s24", "f32"})}));
  add(type("sink.null", {in()}, {choice("pace", {"free", "real-time"})}));
  add(type("sink.tcp", {in()},
           {required(text("host", ""), "the machine to connect to"),
            required(integer("port", 1, 65535, 0), "its port"), secret()}));
  add(type("sink.rtp", {in("packets", PortKind::kPackets)}, {}));
  catalog.add_unavailable("sink.broken", "/lib/sink.broken.so was built for ABI 2; this is 1");
  return catalog;
}

}  // namespace

const graph::Catalog& graph_catalog() {
  static const graph::Catalog catalog = make();
  return catalog;
}

}  // namespace sluice::test
