// Random sound graphs: each loads, survives its normal form and its layout.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "host/graph/expander.hpp"
#include "host/graph/format.hpp"
#include "tests/support/graph_properties.hpp"
#include "tests/unit/graph/loading.hpp"

namespace sluice::test {
namespace {

using graph::NodeType;
using graph::Parameter;
using graph::ParameterKind;
using graph::PortDirection;
using graph::Value;

class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed) : random_(seed) {}

  Value make() {
    Value json = Value::object();
    json.set("sluice", 1);
    if (chance(3)) json.set("description", text());
    if (chance(4)) json.set("latency_budget_ms", number(0, 1000));
    json.set("vars", Value::object());
    Value nodes = Value::object();
    const int count = 2 + below(8);
    for (int i = 0; i < count; ++i) add_node(i, nodes);
    json.set("nodes", std::move(nodes));
    connect(json);
    *const_cast<Value*>(json.find("vars")) = vars_;
    return json;
  }

 private:
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }
  bool chance(int in) { return below(in) == 0; }
  double number(double from, double to) {
    const double value = std::uniform_real_distribution<double>(from, to)(random_);
    return chance(2) ? static_cast<double>(static_cast<std::int64_t>(value)) : value;
  }

  std::string text() {
    static const std::vector<std::string> pieces = {"a",
                                                    " ",
                                                    "\"",
                                                    "\\",
                                                    "$",
                                                    "$${",
                                                    "}",
                                                    "{",
                                                    "->",
                                                    "\n",
                                                    "\t",
                                                    "/*",
                                                    "//",
                                                    ",",
                                                    ";",
                                                    "\xC3\xA4",
                                                    "'",
                                                    ".",
                                                    ":",
                                                    "\x7F",
                                                    "\x1F",
                                                    "~",
                                                    "\xF0\x9F\x98\x80"};
    std::string all;
    for (int i = below(8); i > 0; --i) all += pieces[static_cast<std::size_t>(below(23))];
    return graph::escaped(all);
  }

  Value value_for(const Parameter& p) {
    const double from = p.minimum.value_or(-1000);
    const double to = p.maximum.value_or(1000);
    switch (p.kind) {
      case ParameterKind::kNumber:
        return number(from, to);
      case ParameterKind::kInteger:
        return static_cast<std::int64_t>(number(from, to));
      case ParameterKind::kBoolean:
        return chance(2);
      case ParameterKind::kText:
        // Paths must be unlike each other: two writers of one file are refused.
        return p.path == graph::PathUse::kNone ? text()
                                               : "f" + std::to_string(++files_) + text() + "/x";
      case ParameterKind::kChoice:
        return p.choices[static_cast<std::size_t>(below(static_cast<int>(p.choices.size())))];
      case ParameterKind::kList:
        return row(p, below(5));
      case ParameterKind::kMatrix: {
        Value rows = Value::array();
        const int columns = 1 + below(4);
        for (int i = below(4); i > 0; --i) rows.push_back(row(p, columns));
        return rows;
      }
    }
    return {};
  }

  Value row(const Parameter& p, int count) {
    Value numbers = Value::array();
    for (; count > 0; --count) numbers.push_back(number(*p.minimum, *p.maximum));
    return numbers;
  }

  void add_node(int i, Value& nodes) {
    const auto& types = graph_catalog().types();
    const NodeType& type = types[static_cast<std::size_t>(below(static_cast<int>(types.size())))];
    Value params = Value::object();
    for (const Parameter& p : type.parameters) {
      // Listening ports must differ.
      if (p.key == "mode") {
        params.set("mode", "connect");
      } else if (p.required || chance(2)) {
        Value value = value_for(p);
        if (chance(4)) {
          const std::string name = "v" + std::to_string(vars_.members().size());
          vars_.set(name, std::move(value));
          value = "${" + name + "}";
        }
        params.set(p.key, std::move(value));
      }
    }
    const std::string id = "n" + std::to_string(i) + (chance(3) ? "-x_" : "");
    Value node = Value::object();
    node.set("type", type.id);
    if (!params.members().empty()) node.set("params", std::move(params));
    if (chance(5)) node.set("isolate", chance(2));
    if (chance(5)) node.set("standby", chance(2));
    if (chance(5)) node.set("adapt", chance(2) ? "auto" : "never");
    if (chance(5)) node.set("description", text());
    nodes.set(id, node.members().size() == 1 && chance(2) ? Value(type.id) : node);
    made_.push_back({id, &type});
  }

  // Every input from some earlier output of its kind; what finds none gets a source before it.
  void connect(Value& json) {
    Value edges = Value::array();
    Value& nodes = *const_cast<Value*>(json.find("nodes"));
    const std::vector<Made> all = made_;
    std::vector<std::pair<std::string, graph::PortKind>> outputs;
    const auto offer = [&outputs](const Made& node) {
      for (const graph::Port& port : node.type->ports) {
        if (port.direction == PortDirection::kOutput) {
          outputs.emplace_back(node.id + "." + port.key, port.kind);
        }
      }
    };
    const auto edge = [&](const std::string& from, const std::string& to, bool pcm) {
      if (chance(2)) {
        edges.push_back(from + " -> " + to);
        return;
      }
      Value full = Value::object();
      full.set("from", from);
      full.set("to", to);
      if (chance(2)) full.set("buffer_ms", number(0, 5000));
      if (chance(2)) full.set("when_full", chance(2) ? "wait" : "skip");
      if (chance(2) && pcm) full.set("gain_db", number(-60, 20));
      if (chance(3)) full.set("delay_ms", number(0, 100));
      if (chance(5)) full.set("pace", chance(2));
      edges.push_back(std::move(full));
    };
    for (const Made& node : all) {
      for (const graph::Port& port : node.type->ports) {
        if (port.direction != PortDirection::kInput) continue;
        std::vector<std::string> fitting;
        for (const auto& [name, kind] : outputs) {
          if (kind == port.kind) fitting.push_back(name);
        }
        const bool pcm = port.kind == graph::PortKind::kPcm;
        if (fitting.empty()) fitting.push_back(source_of(pcm, nodes, edges));
        edge(fitting[static_cast<std::size_t>(below(static_cast<int>(fitting.size())))],
             node.id + "." + port.key, pcm);
      }
      offer(node);
    }
    json.set("edges", std::move(edges));
  }

  std::string source_of(bool pcm, Value& nodes, Value& edges) {
    const std::string tone = "t" + std::to_string(nodes.members().size());
    nodes.set(tone, "source.tone");
    if (pcm) return tone + ".out";
    const std::string encoder = "e" + std::to_string(nodes.members().size());
    nodes.set(encoder, "codec.encode");
    edges.push_back(tone + " -> " + encoder);
    return encoder + ".packets";
  }

  struct Made {
    std::string id;
    const NodeType* type;
  };

  std::mt19937 random_;
  std::vector<Made> made_;
  Value vars_ = Value::object();
  int files_ = 0;
};

TEST(RandomGraph, survives_normal_form_and_layout) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    const std::string text = graph::to_json(RandomGraph(seed).make());
    const graph::LoadResult result = load(text);
    ASSERT_TRUE(result.document) << testing::PrintToString(lines(result.diagnostics)) << text;
    ASSERT_EQ(broken_normal_form(*result.document), "");
    ASSERT_EQ(broken_format(text), "");
    const graph::LoadResult laid_out = load(graph::format(text, "t").text);
    ASSERT_TRUE(laid_out.document);
    ASSERT_TRUE(graph::same_graph(*result.document, *laid_out.document));
    if (seed % 20 == 0) {
      ASSERT_EQ(broken_edits(graph::format(text, "t").text), "");
    }
  }
}

// Cuts, swaps and repeats in sound texts: no crash, and never neither error nor document.
TEST(RandomGraph, mutilated_ends_in_errors_or_a_document) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    std::mt19937 random(seed);
    std::string text = graph::to_pretty_json(RandomGraph(seed).make());
    for (unsigned i = 0; i < 1 + seed % 5; ++i) {
      const std::size_t at = random() % text.size();
      const std::size_t length = std::min<std::size_t>(random() % 20, text.size() - at);
      if (random() % 2 == 0) {
        text.erase(at, length);
      } else {
        text.insert(random() % text.size(), text.substr(at, length));
      }
    }
    const graph::LoadResult result = load(text);
    EXPECT_NE(result.document.has_value(), graph::has_errors(result.diagnostics)) << text;
    EXPECT_EQ(broken_format(text), "") << text;
  }
}

}  // namespace
}  // namespace sluice::test
