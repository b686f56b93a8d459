#include "host/graph/format.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "host/graph/json_comments.hpp"
#include "host/graph/json_text.hpp"
#include "host/graph/report.hpp"
#include "host/graph/source_text.hpp"
#include "host/graph/utf8.hpp"

namespace sluice::graph {
namespace {

constexpr std::size_t kColumns = 100;
constexpr std::size_t kIndent = 2;

class Formatter {
 public:
  explicit Formatter(const JsonText& json)
      : root_(*json.root()), text_(json.source().text()), comment_begins_(comment_begins(text_)) {}

  std::string run() {
    std::size_t line_ends = 0;
    for (const JsonComment& comment : comments_between(text_, 0, root_.begin(), line_ends)) {
      if (!out_.empty() && comment.line_ends_before > 1) out_ += '\n';
      put_comment(comment);
      out_ += '\n';
    }
    if (!out_.empty() && line_ends > 1) out_ += '\n';
    put_value(root_, 0, 0, true);
    for (const JsonComment& comment :
         comments_between(text_, root_.end(), text_.size(), line_ends)) {
      if (comment.line_ends_before == 0) {
        out_ += ' ';
      } else {
        out_.append(std::min(comment.line_ends_before, std::size_t{2}), '\n');
      }
      put_comment(comment);
    }
    out_ += '\n';
    return std::move(out_);
  }

 private:
  std::string_view raw(const Json& json) const {
    return text_.substr(json.begin(), json.end() - json.begin());
  }

  bool is_container(const Json& json) const {
    return json.is(JsonKind::kObject) || json.is(JsonKind::kList);
  }

  std::string_view raw_key(const Json& member) const {
    const std::size_t begin = member.key_begin();
    std::size_t end = begin + 1;
    for (; text_[end] != '"'; ++end) {
      if (text_[end] == '\\') ++end;
    }
    return text_.substr(begin, end + 1 - begin);
  }

  bool has_comments(const Json& json) const {
    const auto first =
        std::lower_bound(comment_begins_.begin(), comment_begins_.end(), json.begin());
    return first != comment_begins_.end() && *first < json.end();
  }

  void put_comment(const JsonComment& comment) {
    for (std::size_t i = comment.begin; i < comment.end; ++i) {
      if (text_[i] != '\r') out_ += text_[i];
    }
  }

  void put_indent(std::size_t level) { out_.append(level * kIndent, ' '); }

  // The graph, its nodes and the like have one member a line however short they are.
  static bool is_spread(const Json& json, std::size_t level) {
    if (json.size() == 0) return false;
    if (level == 0) return true;
    const std::optional<Json> parent = json.parent();
    if (!parent || !parent->is(JsonKind::kObject)) return false;
    const std::string key = json.key();
    if (key == "edges") return json.size() > 1;
    return level == 1 &&
           (key == "nodes" || key == "switches" || key == "profiles" || key == "routes");
  }

  // On one line, if that is at most `room` columns.
  bool put_inline(const Json& json, std::size_t room, std::size_t& width) {
    if (!is_container(json)) {
      const std::string_view token = raw(json);
      width += count_code_points(token);
      out_ += token;
      return width <= room;
    }
    const bool object = json.is(JsonKind::kObject);
    width += 2;
    out_ += object ? '{' : '[';
    bool first = true;
    for (const Json& child : json.children()) {
      if (!first) {
        out_ += ", ";
        width += 2;
      }
      first = false;
      if (object) {
        const std::string_view key = raw_key(child);
        out_ += key;
        out_ += ": ";
        width += count_code_points(key) + 2;
      }
      if (!put_inline(child, room, width)) return false;
    }
    out_ += object ? '}' : ']';
    return width <= room;
  }

  // `taken`: columns of this line that stand before the value; `last`: no comma follows.
  void put_value(const Json& json, std::size_t level, std::size_t taken, bool last) {
    if (!is_container(json)) {
      out_ += raw(json);
      return;
    }
    if (!has_comments(json) && !is_spread(json, level)) {
      const std::size_t mark = out_.size();
      std::size_t width = taken + (last ? 0 : 1);
      if (put_inline(json, kColumns, width) || json.size() == 0) return;
      out_.resize(mark);
    }
    put_spread(json, level);
  }

  void put_spread(const Json& json, std::size_t level) {
    const bool object = json.is(JsonKind::kObject);
    out_ += object ? '{' : '[';
    const std::vector<Json> children = json.children();
    std::size_t line_ends = 0;
    std::vector<JsonComment> leading =
        comments_between(text_, json.begin() + 1,
                         children.empty() ? json.end() - 1 : children[0].key_begin(), line_ends);
    bool first = true;
    for (std::size_t i = 0; i < children.size(); ++i) {
      const Json& child = children[i];
      const bool last = i + 1 == children.size();
      put_leading(leading, level + 1, first);
      if (object) hoist_inner_comments(child, level + 1, first);
      next_line(first, leading.empty() ? line_ends : std::min(line_ends, std::size_t{2}));
      put_indent(level + 1);
      std::size_t taken = (level + 1) * kIndent;
      if (object) {
        out_ += raw_key(child);
        out_ += ": ";
        taken += count_code_points(raw_key(child)) + 2;
      }
      put_value(child, level + 1, taken, last);
      if (!last) out_ += ',';
      leading = comments_between(text_, child.end(),
                                 last ? json.end() - 1 : children[i + 1].key_begin(), line_ends);
      put_trailing(leading);
    }
    put_leading(leading, level + 1, first);
    out_ += '\n';
    put_indent(level);
    out_ += object ? '}' : ']';
  }

  // Ends the line before the next member, with one empty line if there was any.
  void next_line(bool& first, std::size_t line_ends) {
    out_ += '\n';
    if (!first && line_ends > 1) out_ += '\n';
    first = false;
  }

  void put_leading(const std::vector<JsonComment>& comments, std::size_t level, bool& first) {
    for (const JsonComment& comment : comments) {
      next_line(first, comment.line_ends_before);
      put_indent(level);
      put_comment(comment);
    }
  }

  // Comments between key, colon and value go before the member.
  void hoist_inner_comments(const Json& member, std::size_t level, bool& first) {
    std::size_t line_ends = 0;
    const std::size_t key_end = member.key_begin() + raw_key(member).size();
    for (const JsonComment& comment : comments_between(text_, key_end, member.begin(), line_ends)) {
      next_line(first, 0);
      put_indent(level);
      put_comment(comment);
    }
  }

  // Those on the line of what stands before them, which leave `comments`.
  void put_trailing(std::vector<JsonComment>& comments) {
    auto comment = comments.begin();
    for (; comment != comments.end() && comment->line_ends_before == 0; ++comment) {
      out_ += ' ';
      put_comment(*comment);
    }
    comments.erase(comments.begin(), comment);
  }

  const Json root_;
  const std::string_view text_;
  const std::vector<std::size_t> comment_begins_;
  std::string out_;
};

}  // namespace

FormatResult format(std::string_view text, std::string_view file) {
  Report report;
  const SourceText source(std::string(file), {}, std::string(text));
  const JsonText json(source, report);
  if (report.has_errors() || !json.root()) return {{}, report.take()};
  return {Formatter(json).run(), {}};
}

}  // namespace sluice::graph
