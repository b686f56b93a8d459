#include "guest.hpp"

#include <sluice/plugin.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace hosted {

std::string key_of(std::string_view name, const std::vector<std::string>& taken) {
  constexpr size_t kMostBytes = 56;
  std::string key;
  for (const char c : name) {
    const bool is_digit = c >= '0' && c <= '9';
    const bool is_upper = c >= 'A' && c <= 'Z';
    const bool is_letter = is_upper || (c >= 'a' && c <= 'z');
    if (key.empty() && is_digit) key += 'p';
    if (is_letter || is_digit) {
      key += is_upper ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!key.empty() && key.back() != '_') {
      key += '_';
    }
    if (key.size() >= kMostBytes) break;
  }
  while (!key.empty() && key.back() == '_') key.pop_back();
  if (key.empty()) key = "control";
  const std::string base = key;
  for (int i = 2; std::find(taken.begin(), taken.end(), key) != taken.end(); ++i) {
    key = base + "_" + std::to_string(i);
  }
  return key;
}

std::string unit_in(std::string_view name) {
  for (const auto& [open, close] : {std::pair{'(', ')'}, std::pair{'[', ']'}}) {
    const size_t begin = name.rfind(open);
    if (begin == std::string_view::npos || !name.ends_with(close)) continue;
    const std::string_view unit = name.substr(begin + 1, name.size() - begin - 2);
    for (const char* known : {"dB", "Hz", "kHz", "s", "ms", "us", "%", "cents", "semitones",
                              "seconds", "milliseconds", "degrees", "BPM", "bpm", "samples"}) {
      if (unit == known) return std::string(unit);
    }
  }
  return {};
}

std::string why_no_filter(const Guest& guest) {
  if (guest.audio_in.empty()) return "It takes no audio.";
  if (guest.audio_out.empty()) return "It gives no audio.";
  const size_t most = std::max(guest.audio_in.size(), guest.audio_out.size());
  if (most <= SLUICE_MAX_CHANNELS) return {};
  return "It has " + std::to_string(most) + " channels; " + std::to_string(SLUICE_MAX_CHANNELS) +
         " are the most there can be.";
}

double exact(float number) {
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  double value = static_cast<double>(number);
  std::from_chars(text.data(), end, value);
  return value;
}

}  // namespace hosted
