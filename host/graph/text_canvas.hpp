// A page of characters on which lines that meet join. [any]
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::graph {

class TextCanvas {
 public:
  TextCanvas(size_t columns, size_t rows)
      : columns_(columns), lines_(columns * rows, 0), text_(columns * rows, '\0') {}

  // Lines between two points of one row or one column, both ends included.
  void horizontal(size_t row, size_t from, size_t to) {
    for (size_t x = from; x < to; ++x) {
      at(x, row) |= kRight;
      at(x + 1, row) |= kLeft;
    }
  }
  void vertical(size_t column, size_t from, size_t to) {
    if (from > to) std::swap(from, to);
    for (size_t y = from; y < to; ++y) {
      at(column, y) |= kDown;
      at(column, y + 1) |= kUp;
    }
  }
  void box(size_t column, size_t row, size_t width, size_t height) {
    horizontal(row, column, column + width - 1);
    horizontal(row + height - 1, column, column + width - 1);
    vertical(column, row, row + height - 1);
    vertical(column + width - 1, row, row + height - 1);
  }
  // ASCII text over whatever is there.
  void text(size_t column, size_t row, std::string_view text) {
    for (const char c : text) text_[row * columns_ + column++] = c;
  }

  std::string render(bool is_unicode) const;

 private:
  enum : uint8_t { kUp = 1, kDown = 2, kLeft = 4, kRight = 8 };
  uint8_t& at(size_t column, size_t row) { return lines_[row * columns_ + column]; }

  size_t columns_;
  std::vector<uint8_t> lines_;
  std::string text_;
};

}  // namespace sluice::graph
