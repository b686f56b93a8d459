// What the terminal can show. [control]
#pragma once

#include <cstddef>

namespace sluice::cli {

// Whether the locale of the environment has UTF-8.
bool has_unicode();
// Width of the terminal behind stderr; 100 if it does not say.
std::size_t terminal_columns();

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};
// Of the terminal behind stdout; 80 by 24 if it does not say.
TerminalSize terminal_size();

}  // namespace sluice::cli
