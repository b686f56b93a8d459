#include "host/graph/nearest_name.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace sluice::graph {
namespace {

constexpr std::size_t kMaximumEdits = 3;
// Nobody mistypes longer names, or picks from longer lists; a hostile file must not cost seconds.
constexpr std::size_t kMaximumNameBytes = 64;
constexpr std::size_t kMaximumCandidates = 4096;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
  const std::size_t difference = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (difference > limit) return limit + 1;
  std::array<std::vector<std::size_t>, 3> rows;
  for (auto& row : rows) row.resize(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    const auto& before = rows[(i + 1) % 3];  // row i - 2
    const auto& above = rows[(i - 1) % 3];
    auto& row = rows[i % 3];
    row[0] = i;
    std::size_t least = row[0];
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0u : 1u)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
          lower(a[i - 2]) == lower(b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
      least = std::min(least, row[j]);
    }
    if (least > limit) return limit + 1;
  }
  return std::min(rows[a.size() % 3][b.size()], limit + 1);
}

std::string nearest_name(std::string_view name, const std::vector<std::string_view>& candidates) {
  if (name.size() > kMaximumNameBytes || candidates.size() > kMaximumCandidates) return {};
  std::string_view best;
  std::size_t best_distance = kMaximumEdits + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kMaximumNameBytes) continue;
    const std::size_t limit = std::min(kMaximumEdits, std::max(name.size(), candidate.size()) / 3);
    const std::size_t distance = edit_distance(name, candidate, limit);
    if (distance <= limit && distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return std::string(best);
}

std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& candidates) {
  const std::string nearest = nearest_name(name, candidates);
  return nearest.empty() ? std::string() : "; did you mean \"" + nearest + "\"?";
}

std::string joined(const std::vector<std::string_view>& names, std::string_view last) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) {
      text += i + 1 == names.size() ? " " + std::string(last) + " " : ", ";
    }
    text += names[i];
  }
  return text;
}

}  // namespace sluice::graph
