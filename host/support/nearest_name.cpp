#include "host/support/nearest_name.hpp"

#include <algorithm>

namespace sluice::support {
namespace {

constexpr std::size_t kMostEdits = 3;
constexpr std::size_t kLeastStemBytes = 3;
// Nobody mistypes longer names or chooses from longer lists; a hostile file must not cost seconds.
constexpr std::size_t kMostNameBytes = 128;
constexpr std::size_t kMostCandidates = 4096;

// Not std::tolower: that depends on the locale.
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
  const std::size_t least = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (least > limit) return limit + 1;
  // Three rows of the matrix are enough: a swap looks two rows back.
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    std::size_t best = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0U : 1U)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
          lower(a[i - 2]) == lower(b[j - 1])) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
      best = std::min(best, row[j]);
    }
    // No later row has a smaller least member.
    if (best > limit) return limit + 1;
    before_last.swap(last);
    last.swap(row);
  }
  return std::min(last[b.size()], limit + 1);
}

std::string nearest_name(std::string_view name, const std::vector<std::string_view>& candidates) {
  if (name.size() > kMostNameBytes || candidates.size() > kMostCandidates) return {};
  std::string_view nearest;
  std::size_t nearest_distance = kMostEdits + 1;
  std::string_view longer;  // begins with the name: gain_db for gain
  bool is_only_longer = true;
  for (const std::string_view candidate : candidates) {
    if (name.size() >= kLeastStemBytes && candidate.size() > name.size() + 1 &&
        candidate.starts_with(name) && candidate[name.size()] == '_') {
      is_only_longer = longer.empty();
      longer = candidate;
    }
    if (candidate.size() > kMostNameBytes) continue;
    const std::size_t limit = std::min(kMostEdits, std::max(name.size(), candidate.size()) / 3);
    const std::size_t distance = edit_distance(name, candidate, limit);
    if (distance <= limit && distance < nearest_distance) {
      nearest = candidate;
      nearest_distance = distance;
    }
  }
  if (nearest.empty() && is_only_longer) nearest = longer;
  return std::string(nearest);
}

std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& candidates) {
  const std::string nearest = nearest_name(name, candidates);
  return nearest.empty() ? std::string() : "; did you mean \"" + nearest + "\"?";
}

std::string listed(const std::vector<std::string_view>& names) {
  if (names.empty()) return {};
  return (names.size() == 1 ? "; there is only " : "; there are ") + joined(names, "and");
}

std::string joined(const std::vector<std::string_view>& names, std::string_view last) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0 && i + 1 < names.size()) text += ", ";
    if (i > 0 && i + 1 == names.size()) text.append(" ").append(last).append(" ");
    text += names[i];
  }
  return text;
}

}  // namespace sluice::support
