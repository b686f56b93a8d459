// One text that somebody wrote, and the way from a byte in it to line and column. [control]
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "host/graph/diagnostic.hpp"

namespace sluice::graph {

// Keeps a byte order mark at the start out of the way: text() begins after it.
class SourceText {
 public:
  // `name` is what messages show. Relative paths in the text start at `folder`.
  SourceText(std::string name, std::filesystem::path folder, std::string text);

  SourceText(const SourceText&) = delete;
  SourceText& operator=(const SourceText&) = delete;

  const std::string& name() const { return name_; }
  const std::filesystem::path& folder() const { return folder_; }
  std::string_view text() const { return std::string_view(text_).substr(skipped_); }

  // Takes the same time wherever it is. `offset` may be one past the end.
  Location locate(std::size_t offset, std::string pointer) const;

 private:
  // What comes before one block of the text. Blocks instead of lines, so that neither one line of
  // 16 MiB nor 16 Mi lines cost time or memory.
  struct Block {
    std::uint32_t lines;       // line ends before it
    std::uint32_t line_begin;  // where the line begins that reaches into it
    std::uint32_t code_points;
  };

  void index();
  std::size_t code_points_before(std::size_t offset) const;

  std::string name_;
  std::filesystem::path folder_;
  std::string text_;
  std::size_t skipped_ = 0;
  std::vector<Block> blocks_;
};

}  // namespace sluice::graph
