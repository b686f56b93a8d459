#include "host/graph/shown.hpp"

#include <cstddef>

#include "host/graph/value.hpp"
#include "host/support/printable.hpp"

namespace sluice::graph {

std::string shown(std::string_view text) {
  constexpr std::size_t kMaximumCharacters = 60;
  std::size_t at = 0;
  for (std::size_t i = 0; i < kMaximumCharacters && at < text.size(); ++i) {
    const std::size_t length = support::utf8_length(text.substr(at));
    at += length == 0 ? 1 : length;
  }
  if (at == text.size()) return quote_json(text);
  std::string cut = quote_json(text.substr(0, at));
  cut.insert(cut.size() - 1, "...");
  return cut;
}

}  // namespace sluice::graph
