#include "host/graph/text_canvas.hpp"

#include <array>

namespace sluice::graph {
namespace {

// By the sum of kUp 1, kDown 2, kLeft 4, kRight 8.
constexpr std::array<const char*, 16> kUnicode = {" ", "│", "│", "│", "─", "┘", "┐", "┤",
                                                  "─", "└", "┌", "├", "─", "┴", "┬", "┼"};
constexpr std::array<const char*, 16> kAscii = {" ", "|", "|", "|", "-", "+", "+", "+",
                                                "-", "+", "+", "+", "-", "+", "+", "+"};

}  // namespace

std::string TextCanvas::render(bool is_unicode) const {
  const auto& glyphs = is_unicode ? kUnicode : kAscii;
  std::string page;
  for (size_t row = 0; row * columns_ < lines_.size(); ++row) {
    std::string line;
    size_t used = 0;  // bytes up to the last character that is not blank
    for (size_t column = 0; column < columns_; ++column) {
      const size_t i = row * columns_ + column;
      if (text_[i] == '>' && is_unicode) {
        line += "▶";
      } else if (text_[i] != '\0') {
        line += text_[i];
      } else {
        line += glyphs[lines_[i]];
      }
      if (text_[i] != '\0' || lines_[i] != 0) used = line.size();
    }
    page += line.substr(0, used) + '\n';
  }
  while (page.ends_with("\n\n")) page.pop_back();
  return page;
}

}  // namespace sluice::graph
