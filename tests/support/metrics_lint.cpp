#include "tests/support/metrics_lint.hpp"

#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>

namespace sluice::tests {
namespace {

bool is_name_start(char c, bool colons) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colons && c == ':');
}
bool is_name(std::string_view text, bool colons) {
  if (text.empty() || !is_name_start(text[0], colons)) return false;
  for (const char c : text) {
    if (!is_name_start(c, colons) && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

// Well-formed in the sense of Unicode, table 3-7.
bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    if (lead < 0x80) continue;
    const int following = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (lead < 0xC2 || lead > 0xF4) return false;
    for (int k = 0; k < following; ++k, ++i) {
      if (i >= text.size()) return false;
      const auto c = static_cast<unsigned char>(text[i]);
      unsigned least = 0x80, most = 0xBF;
      if (k == 0 && lead == 0xE0) least = 0xA0;
      if (k == 0 && lead == 0xED) most = 0x9F;
      if (k == 0 && lead == 0xF0) least = 0x90;
      if (k == 0 && lead == 0xF4) most = 0x8F;
      if (c < least || c > most) return false;
    }
  }
  return true;
}

bool has_good_escapes(std::string_view text, bool quotes) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"' && quotes) return false;
    if (text[i] != '\\') continue;
    if (++i == text.size()) return false;
    if (text[i] != '\\' && text[i] != 'n' && !(quotes && text[i] == '"')) return false;
  }
  return true;
}

struct Family {
  std::string kind;
  bool has_help = false;
  bool is_over = false;  // another one has begun since
};

class Linter {
 public:
  explicit Linter(bool is_open) : is_open_(is_open) {}

  std::vector<std::string> lint(std::string_view text) {
    if (!is_utf8(text)) complain("is no UTF-8");
    if (!text.ends_with('\n')) complain("does not end with a line feed");
    bool is_ended = false;
    while (!text.empty()) {
      ++line_;
      const size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (is_ended) complain("stands after # EOF");
      if (is_open_ && line == "# EOF") {
        is_ended = true;
      } else if (line.starts_with('#')) {
        take_description(line);
      } else if (line.empty()) {
        if (is_open_) complain("is empty");
      } else {
        take_sample(line);
      }
    }
    if (is_open_ && !is_ended) complain("is not followed by # EOF");
    for (const auto& [name, family] : families_) {
      if (family.kind.empty()) complain("family " + name + " has no TYPE");
      if (!family.has_help) complain("family " + name + " has no HELP");
      // Names of samples must not be those of another family.
      for (const char* suffix : {"_total", "_info", "_created"}) {
        if (families_.contains(name + suffix)) complain(name + suffix + " clashes with " + name);
      }
    }
    return std::move(complaints_);
  }

 private:
  void complain(const std::string& what) {
    complaints_.push_back("line " + std::to_string(line_) + " " + what);
  }

  Family& enter(const std::string& name) {
    if (current_ != name) {
      if (!current_.empty()) families_[current_].is_over = true;
      current_ = name;
    }
    Family& family = families_[name];
    if (family.is_over) complain("comes back to " + name);
    return family;
  }

  void take_description(std::string_view line) {
    const bool is_help = line.starts_with("# HELP ");
    if (!is_help && !line.starts_with("# TYPE ")) {
      if (is_open_) complain("is a comment");
      return;
    }
    const std::string_view rest = line.substr(7);
    const size_t space = rest.find(' ');
    const std::string name(rest.substr(0, space));
    if (!is_name(name, true)) return complain("names no metric");
    if (space == std::string_view::npos) return complain("says nothing");
    const std::string_view said = rest.substr(space + 1);
    Family& family = enter(name);
    if (with_samples_.contains(name)) complain("describes " + name + " after its samples");
    if (is_help) {
      if (family.has_help) complain("is a second HELP");
      if (!has_good_escapes(said, is_open_)) complain("has a wrong escape");
      family.has_help = true;
      return;
    }
    if (!family.kind.empty()) complain("is a second TYPE");
    if (said != "gauge" && said != "counter" && !(is_open_ && said == "info")) {
      complain("has an unknown TYPE");
    }
    family.kind = said;
    const bool is_total = name.ends_with("_total");
    if (said == "counter" ? is_total == is_open_ : is_total) complain("is named wrongly");
  }

  // The family of a sample's name; empty if there is none.
  std::string family_of(const std::string& name) const {
    if (const auto found = families_.find(name); found != families_.end()) {
      const bool is_plain = !is_open_ || found->second.kind == "gauge";
      if (is_plain) return name;
    }
    for (const auto& [kind, suffix] : {std::pair{"counter", "_total"}, {"info", "_info"}}) {
      const std::string end = suffix;
      if (!is_open_ || !name.ends_with(end)) continue;
      const std::string base = name.substr(0, name.size() - end.size());
      const auto found = families_.find(base);
      if (found != families_.end() && found->second.kind == kind) return base;
    }
    return "";
  }

  // The labels, sorted, and the rest behind them; nothing if they are wrong.
  std::optional<std::string> take_labels(std::string_view& rest) {
    std::map<std::string, std::string> labels;
    rest.remove_prefix(1);
    while (!rest.starts_with('}')) {
      const size_t equals = rest.find("=\"");
      if (equals == std::string_view::npos) return std::nullopt;
      const std::string name(rest.substr(0, equals));
      if (!is_name(name, false) || name.starts_with("__")) return std::nullopt;
      rest.remove_prefix(equals + 2);
      size_t end = 0;
      while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
      if (end >= rest.size()) return std::nullopt;
      const std::string value(rest.substr(0, end));
      if (!has_good_escapes(value, true)) return std::nullopt;
      rest.remove_prefix(end + 1);
      if (!labels.emplace(name, value).second) return std::nullopt;
      if (rest.starts_with(',')) {
        rest.remove_prefix(1);
        if (rest.starts_with('}') && is_open_) return std::nullopt;
      } else if (!rest.starts_with('}')) {
        return std::nullopt;
      }
    }
    rest.remove_prefix(1);
    std::string all;
    for (const auto& [name, value] : labels) all += name + "=\"" + value + "\",";
    return all;
  }

  void take_sample(std::string_view line) {
    const size_t name_end = line.find_first_of("{ ");
    const std::string name(line.substr(0, name_end));
    if (!is_name(name, true) || name_end == std::string_view::npos) {
      return complain("is no sample");
    }
    std::string_view rest = line.substr(name_end);
    std::string labels;
    if (rest.starts_with('{')) {
      const auto taken = take_labels(rest);
      if (!taken) return complain("has wrong labels");
      labels = *taken;
    }
    if (!rest.starts_with(' ')) return complain("has no value");
    rest.remove_prefix(1);
    double value = 0.0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc() || end != rest.data() + rest.size()) complain("has no number");
    const std::string family_name = family_of(name);
    if (family_name.empty()) return complain("belongs to no family: " + name);
    const Family& family = enter(family_name);
    if (family.kind == "counter" && !(value >= 0.0 && std::isfinite(value))) {
      complain("counts to what is no count");
    }
    if (family.kind == "info" && value != 1.0) complain("is info and not 1");
    if (!seen_.insert(name + "{" + labels).second) complain("stands there twice");
    with_samples_.insert(family_name);
  }

  const bool is_open_;
  int line_ = 0;
  std::string current_;
  std::map<std::string, Family> families_;
  std::set<std::string> with_samples_;
  std::set<std::string> seen_;
  std::vector<std::string> complaints_;
};

}  // namespace

std::vector<std::string> lint_metrics(std::string_view text, bool is_open_metrics) {
  return Linter(is_open_metrics).lint(text);
}

}  // namespace sluice::tests
