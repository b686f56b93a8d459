#include "host/graph/source_text.hpp"

#include <algorithm>
#include <utility>

namespace sluice::graph {
namespace {

constexpr std::size_t kBlockBytes = 512;

bool begins_code_point(char byte) { return (static_cast<unsigned char>(byte) & 0xC0u) != 0x80u; }

}  // namespace

SourceText::SourceText(std::string name, std::filesystem::path folder, std::string text)
    : name_(std::move(name)), folder_(std::move(folder)), text_(std::move(text)) {
  if (text_.starts_with("\xEF\xBB\xBF")) skipped_ = 3;
  index();
}

void SourceText::index() {
  const std::string_view all = text();
  blocks_.reserve(all.size() / kBlockBytes + 1);
  Block state{0, 0, 0};
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i % kBlockBytes == 0) blocks_.push_back(state);
    if (begins_code_point(all[i])) ++state.code_points;
    if (all[i] == '\n') {
      ++state.lines;
      state.line_begin = static_cast<std::uint32_t>(i + 1);
    }
  }
  if (all.size() % kBlockBytes == 0) blocks_.push_back(state);
}

std::size_t SourceText::code_points_before(std::size_t offset) const {
  const std::size_t block = offset / kBlockBytes;
  const std::string_view part = text().substr(block * kBlockBytes, offset - block * kBlockBytes);
  return blocks_[block].code_points +
         static_cast<std::size_t>(std::count_if(part.begin(), part.end(), begins_code_point));
}

Location SourceText::locate(std::size_t offset, std::string pointer) const {
  const std::string_view all = text();
  offset = std::min(offset, all.size());
  const std::size_t block = offset / kBlockBytes;
  std::size_t line = blocks_[block].lines + std::size_t{1};
  std::size_t line_begin = blocks_[block].line_begin;
  for (std::size_t i = block * kBlockBytes; i < offset; ++i) {
    if (all[i] != '\n') continue;
    ++line;
    line_begin = i + 1;
  }
  const std::size_t column = code_points_before(offset) - code_points_before(line_begin) + 1;
  return {name_, static_cast<int>(line), static_cast<int>(column), std::move(pointer)};
}

}  // namespace sluice::graph
