// Loading graphs from texts, against the fixed catalog.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/graph/load.hpp"
#include "tests/support/graph_catalog.hpp"

namespace sluice::test {

// Of a text called "g.json" that lies in a folder that does not exist; files are not looked for.
inline graph::LoadOptions text_options() {
  graph::LoadOptions options;
  options.folder = "/nowhere";
  options.check_files = false;
  options.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "SECRET") return "xyzzy";
    if (name == "PORT") return "4953";
    return {};
  };
  return options;
}

inline graph::LoadResult load(std::string text,
                              const graph::LoadOptions& options = text_options()) {
  return graph::load_text(std::move(text), "g.json", graph_catalog(), options);
}

inline std::vector<std::string> lines(const std::vector<graph::Diagnostic>& diagnostics) {
  std::vector<std::string> all;
  for (const graph::Diagnostic& diagnostic : diagnostics) all.push_back(to_text(diagnostic));
  return all;
}

// What is said about a text, one line each.
inline std::vector<std::string> complaints(std::string text,
                                           const graph::LoadOptions& options = text_options()) {
  return lines(load(std::move(text), options).diagnostics);
}

// A graph with one source, `nodes` (JSON members, with a comma at the end) and one sink, on lines
// of their own; `rest` follows the nodes.
inline std::string graph_with(const std::string& nodes, const std::string& rest) {
  return "{\"sluice\": 1,\n\"nodes\": {\"tone\": \"source.tone\",\n" + nodes +
         "\n\"null\": \"sink.null\"},\n" + rest + "}";
}

// A folder of its own for one test, removed at the end.
class Folder {
 public:
  Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();

  const std::filesystem::path& path() const { return path_; }
  // Writes a file and returns its whole path.
  std::filesystem::path write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

}  // namespace sluice::test
