#include "host/graph/expression.hpp"

#include <system_error>
#include <utility>

#include "host/graph/expression_reader.hpp"
#include "host/graph/format.hpp"
#include "host/graph/resolver.hpp"
#include "host/graph/typed_value.hpp"

namespace sluice::graph {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const LoadOptions& options) {
  std::error_code ignored;
  return fs::absolute(options.folder.empty() ? "." : options.folder, ignored).lexically_normal();
}

std::shared_ptr<const SourceText> source_of(std::string_view expression, const fs::path& folder) {
  return std::make_shared<SourceText>("-e", folder, std::string(expression));
}

// What the text of a parameter is in a file: typed, unless variables decide what it becomes.
Value file_value(const Parameter* parameter, const std::string& text) {
  if (parameter == nullptr || text.find("${") != std::string::npos) return text;
  auto typed = parse_value(*parameter, text);
  return typed ? to_value(*typed) : Value(text);
}

Value node_json(const RawNode& node, const Catalog& catalog) {
  const NodeType* type = catalog.find(node.type->value.text());
  if (node.params.empty() && node.host.empty()) return node.type->value;
  Value json = Value::object();
  json.set("type", node.type->value);
  for (const RawMember& member : node.host) {
    json.set(member.key,
             file_value(find_parameter(node_parameters(), member.key), member.value.value.text()));
  }
  for (const RawMember& member : node.params) {
    if (json.find("params") == nullptr) json.set("params", Value::object());
    const Parameter* parameter = type == nullptr ? nullptr : type->find_parameter(member.key);
    Value value = file_value(parameter, member.value.value.text());
    json.members().back().value.set(member.key, std::move(value));
  }
  return json;
}

}  // namespace

LoadResult load_expression(std::string_view expression, const Catalog& catalog,
                           const LoadOptions& options) {
  Report report;
  const fs::path folder = folder_of(options);
  const RawGraph raw = ExpressionReader(catalog, report).read(source_of(expression, folder));
  if (raw.nodes.empty() && report.has_errors()) return {{}, report.take()};
  Document document =
      Resolver(raw, catalog, options, folder, report).resolve({}, folder, "expression");
  const bool good = !report.has_errors();
  LoadResult result{{}, report.take()};
  if (good) result.document = std::move(document);
  return result;
}

support::Result<std::string> expression_to_json(std::string_view expression, const Catalog& catalog,
                                                const LoadOptions& options) {
  const LoadResult loaded = load_expression(expression, catalog, options);
  if (!loaded.document) {
    std::string all;
    for (const Diagnostic& diagnostic : loaded.diagnostics) {
      if (diagnostic.severity != Severity::kError) continue;
      all += (all.empty() ? "" : "\n") + to_text(diagnostic);
    }
    return support::Error{support::ErrorCode::kInvalid, std::move(all)};
  }
  Report ignored;
  const RawGraph raw =
      ExpressionReader(catalog, ignored).read(source_of(expression, folder_of(options)));
  Value json = Value::object();
  json.set("sluice", 1);
  Value& nodes = json.set("nodes", Value::object());
  for (const RawNode& node : raw.nodes) nodes.set(node.id, node_json(node, catalog));
  Value edges = Value::array();
  for (const RawEdge& edge : raw.edges) {
    std::string chain;
    for (const RawValue& stop : edge.texts) {
      chain += (chain.empty() ? "" : " -> ") + stop.value.text();
    }
    edges.push_back(chain);
  }
  json.set("edges", std::move(edges));
  return format(to_json(json), "-e").text;
}

}  // namespace sluice::graph
