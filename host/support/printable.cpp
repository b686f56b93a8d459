#include "host/support/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace sluice::support {
namespace {

struct Character {
  std::size_t bytes = 0;  // 0: no valid character
  uint32_t code = 0;
};

Character first_character(std::string_view text) {
  if (text.empty()) return {};
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return {1, lead};
  std::size_t bytes = 0;
  uint32_t code = 0;
  uint32_t least = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    bytes = 2;
    code = lead & 0x1FU;
    least = 0x80;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    bytes = 3;
    code = lead & 0x0FU;
    least = 0x800;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    bytes = 4;
    code = lead & 0x07U;
    least = 0x10000;
  }
  if (bytes == 0 || text.size() < bytes) return {};
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if ((byte & 0xC0U) != 0x80U) return {};
    code = (code << 6U) | (byte & 0x3FU);
  }
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < least || code > 0x10FFFF || is_surrogate) return {};
  return {bytes, code};
}

bool changes_direction(uint32_t code) {
  return code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

std::string shown(std::string_view bytes, uint32_t code) {
  if (code == '\n') return "\\n";
  if (code == '\r') return "\\r";
  if (code == '\t') return "\\t";
  if (code < 0x20 || (code >= 0x7F && code <= 0x9F)) return fmt::format("\\x{:02x}", code);
  if (changes_direction(code)) return fmt::format("\\u{{{:04x}}}", code);
  return std::string(bytes);
}

}  // namespace

std::size_t utf8_length(std::string_view text) { return first_character(text).bytes; }

std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

std::string printable(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kCut = "...";
  std::string result;
  result.reserve(std::min(text.size(), max_bytes));
  std::size_t fits = 0;  // where the result can be cut and still have room for kCut
  while (!text.empty()) {
    const Character character = first_character(text);
    const std::size_t bytes = character.bytes == 0 ? 1 : character.bytes;
    if (character.bytes == 0) {
      fmt::format_to(std::back_inserter(result), "\\x{:02x}", static_cast<uint8_t>(text[0]));
    } else {
      result += shown(text.substr(0, bytes), character.code);
    }
    if (result.size() > max_bytes) {
      result.resize(fits);
      result += kCut.substr(0, max_bytes - fits);
      return result;
    }
    if (result.size() + kCut.size() <= max_bytes) fits = result.size();
    text.remove_prefix(bytes);
  }
  return result;
}

}  // namespace sluice::support
