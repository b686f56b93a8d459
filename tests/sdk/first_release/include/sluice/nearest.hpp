// What somebody meant by a misspelt name, for sentences about names that a plugin alone knows:
// devices, ports of a server. Not part of sluice.hpp. [control, worker]
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// How many insertions, deletions and replacements turn `a` into `b` (Levenshtein), upper and lower
// case being the same. Bytes, not characters.
inline std::size_t edits_between(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0U : 1U);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

// The end of a sentence that began with "There is no NAME": "; did you mean \"lab\"?" if one of
// `names` is near (at most a third of it differs) or holds `name` as a part, otherwise "; there are
// \"a\" and \"b\"." with at most six of them, or "." if there are none.
inline std::string did_you_mean(std::string_view name, const std::vector<std::string>& names) {
  const std::string* nearest = nullptr;
  std::size_t least = name.size() / 3 + 1;
  for (const std::string& candidate : names) {
    const std::size_t edits = edits_between(name, candidate);
    if (edits < least) {
      least = edits;
      nearest = &candidate;
    }
  }
  constexpr std::size_t kLeastPart = 3;
  for (const std::string& candidate : names) {
    if (nearest == nullptr && name.size() >= kLeastPart &&
        candidate.find(name) != std::string::npos) {
      nearest = &candidate;
    }
  }
  if (nearest != nullptr) return "; did you mean \"" + *nearest + "\"?";
  if (names.empty()) return ".";
  constexpr std::size_t kMost = 6;
  const std::size_t count = std::min(names.size(), kMost);
  std::string text = count == 1 ? "; there is only " : "; there are ";
  for (std::size_t i = 0; i < count; ++i) {
    if (i != 0) text += i + 1 == count && count == names.size() ? " and " : ", ";
    text += '"' + names[i] + '"';
  }
  return text + (count < names.size() ? " and others." : ".");
}

}  // namespace sluice
