// From text to a checked document. [control]; reads files, blocks only on those.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/graph/catalog.hpp"
#include "host/graph/diagnostic.hpp"
#include "host/graph/document.hpp"

namespace sluice::graph {

inline constexpr std::size_t kMaximumFileBytes = std::size_t{16} << 20;
inline constexpr int kMaximumNesting = 64;
// Objects, lists, texts, numbers in one file: bounds the memory that reading takes.
inline constexpr std::size_t kMaximumValues = 500'000;
inline constexpr int kMaximumIncludeDepth = 16;
// After this many, one last diagnostic says how many more there are.
inline constexpr std::size_t kMaximumDiagnostics = 1000;

struct LoadOptions {
  std::vector<std::string> variables;  // --var: "name=value"
  // --set: "node.parameter=value" or "a.out->b.in:gain_db=-6"
  std::vector<std::string> settings;
  std::string profile;  // --profile; empty: none
  // "switch=route", or "route" where the graph has one switch: instead of the initial one.
  std::vector<std::string> routes;
  // Where relative paths from the command line and of expressions start. Empty: the current folder.
  std::filesystem::path folder;
  // What ${env:NAME} reads; nothing if unset. Empty function: the process's environment.
  std::function<std::optional<std::string>(const std::string& name)> environment;
  // Whether input files must exist (and output files' folders).
  bool check_files = true;
  // Whether parameters have the values that the initial routes set. Without, the document's normal
  // form still says what they are where no route sets them; nodes that lack one are dormant.
  bool applies_routes = true;
  // Whether every input that is not optional has an edge. While a graph plays, one without is
  // silent.
  bool needs_inputs = true;
};

struct LoadResult {
  std::optional<Document> document;     // only if there is no error
  std::vector<Diagnostic> diagnostics;  // all errors and warnings, in order of place
};

// Reads, resolves and checks a graph file. All errors of the file and of what it includes come at
// once. Precedence: file, profile, command line; the initial route's settings come before --set.
LoadResult load_file(const std::filesystem::path& file, const Catalog& catalog,
                     const LoadOptions& options = {});

// The same from text. `file` is shown in messages; relative paths start at its folder.
LoadResult load_text(std::string text, const std::filesystem::path& file, const Catalog& catalog,
                     const LoadOptions& options = {});

// A graph in one line; see expression.hpp.
LoadResult load_expression(std::string_view expression, const Catalog& catalog,
                           const LoadOptions& options = {});

struct RouteResult {
  std::optional<Route> route;  // only if there is no error
  std::vector<Diagnostic> diagnostics;
};

// The edges and settings that a switch's route stands for; a "*" route takes the name as ${route}.
// Also checks that the graph stays sound (no cycle, no edge twice) with the other switches at
// `routes` (pairs of switch and route; those not named are at their initial one).
RouteResult resolve_route(const Document& document, const Catalog& catalog,
                          std::string_view switch_id, std::string_view route,
                          const std::vector<std::pair<std::string, std::string>>& routes = {});

// Parses "a.out->b.in" or "a -> b" (default ports filled in) against a document.
// Error (kInvalid, kNotFound): a sentence with the nearest name.
support::Result<Edge> parse_edge(const Document& document, const Catalog& catalog,
                                 std::string_view ends);

// Parses "node.parameter=value" against a document. Errors as above.
support::Result<Setting> parse_setting(const Document& document, const Catalog& catalog,
                                       std::string_view text);

}  // namespace sluice::graph
