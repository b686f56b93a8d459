#include "host/graph/edit.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "host/graph/json_comments.hpp"
#include "host/graph/json_text.hpp"
#include "host/graph/report.hpp"
#include "host/graph/shown.hpp"
#include "host/graph/source_text.hpp"
#include "host/graph/value.hpp"

namespace sluice::graph {
namespace {

using support::Error;
using support::ErrorCode;
using support::Result;

constexpr std::size_t kInsertedIndent = 2;

// A text that was read, so that places in it can be found.
class Edited {
 public:
  explicit Edited(std::string_view text)
      : bom_(text.starts_with("\xEF\xBB\xBF") ? 3 : 0),
        source_(std::make_unique<SourceText>("text", std::filesystem::path(), std::string(text))),
        json_(*source_, report_),
        good_(!report_.has_errors() && json_.root()) {}

  bool good() const { return good_; }
  Error error() {
    const std::vector<Diagnostic> all = report_.take();
    return {ErrorCode::kInvalid, "the text is no JSON: " + (all.empty() ? "" : to_text(all[0]))};
  }
  std::optional<Json> find(std::string_view pointer) const { return json_.find(pointer); }
  std::string_view text() const { return source_->text(); }

  // The whole text with begin..end replaced.
  std::string with(std::size_t begin, std::size_t end, std::string_view replacement) const {
    std::string result(bom_ == 0 ? "" : "\xEF\xBB\xBF");
    result.append(text().substr(0, begin)).append(replacement).append(text().substr(end));
    return result;
  }

  // "\r\n" if the text's first line ends so.
  std::string_view line_end() const {
    const std::size_t first = text().find('\n');
    return first != std::string_view::npos && first > 0 && text()[first - 1] == '\r' ? "\r\n"
                                                                                     : "\n";
  }

  // The blanks that the line of byte `at` begins with.
  std::string_view indent_at(std::size_t at) const {
    const std::size_t line = at == 0 ? 0 : text().rfind('\n', at - 1) + 1;
    const std::size_t end = std::min(text().find_first_not_of(" \t", line), text().size());
    return text().substr(line, std::min(end, at) - line);
  }

 private:
  std::size_t bom_;
  std::unique_ptr<SourceText> source_;
  Report report_;
  JsonText json_;
  bool good_;
};

Error not_found(std::string_view pointer) {
  return {ErrorCode::kNotFound, "there is nothing at " + shown(pointer)};
}

// Nothing if `json` is one JSON value.
std::optional<Error> refuse_value(std::string_view json) {
  const Edited value(json);
  if (value.good()) return {};
  return Error{ErrorCode::kInvalid, shown(json) + " is no JSON value"};
}

bool has_line_end(std::string_view text) { return text.find('\n') != std::string_view::npos; }

// Puts `item` before child `index` of a container, or at the end.
std::string insert_item(const Edited& text, const Json& container, std::size_t index,
                        std::string_view item) {
  const std::vector<Json> children = container.children();
  const std::string_view all = text.text();
  if (children.empty()) {
    const std::string_view inside =
        all.substr(container.begin() + 1, container.end() - container.begin() - 2);
    if (!has_line_end(inside)) {
      return text.with(container.end() - 1, container.end() - 1, item);
    }
    std::string inserted(kInsertedIndent, ' ');
    inserted.append(item).append(text.line_end()).append(text.indent_at(container.end() - 1));
    return text.with(container.end() - 1, container.end() - 1, inserted);
  }
  const std::size_t before = index < children.size() ? children[index].key_begin() : 0;
  if (index < children.size()) {
    const std::size_t begin = index == 0 ? container.begin() + 1 : children[index - 1].end();
    std::string inserted(item);
    inserted += ',';
    if (has_line_end(all.substr(begin, before - begin))) {
      inserted.append(text.line_end()).append(text.indent_at(before));
    } else {
      inserted += ' ';
    }
    return text.with(before, before, inserted);
  }
  const Json& last = children.back();
  const std::size_t gap =
      children.size() > 1 ? children[children.size() - 2].end() : container.begin() + 1;
  const bool own_line = has_line_end(all.substr(gap, last.key_begin() - gap));
  if (!own_line) return text.with(last.end(), last.end(), ", " + std::string(item));
  // The comma goes behind the last value, the item behind the comments on that line.
  std::size_t line_ends = 0;
  std::size_t end = last.end();
  for (const JsonComment& comment :
       comments_between(all, last.end(), container.end() - 1, line_ends)) {
    if (comment.line_ends_before > 0) break;
    end = comment.end;
  }
  std::string inserted(",");
  inserted.append(all.substr(last.end(), end - last.end()));
  inserted.append(text.line_end()).append(text.indent_at(last.key_begin())).append(item);
  return text.with(last.end(), end, inserted);
}

}  // namespace

Result<std::string> replace_value(std::string_view text, std::string_view pointer,
                                  std::string_view json) {
  Edited edited(text);
  if (!edited.good()) return edited.error();
  if (auto error = refuse_value(json)) return std::move(*error);
  const auto at = edited.find(pointer);
  if (!at) return not_found(pointer);
  return edited.with(at->begin(), at->end(), json);
}

Result<std::string> insert_member(std::string_view text, std::string_view pointer,
                                  std::string_view key, std::string_view json) {
  Edited edited(text);
  if (!edited.good()) return edited.error();
  if (auto error = refuse_value(json)) return std::move(*error);
  const auto at = edited.find(pointer);
  if (!at) return not_found(pointer);
  if (!at->is(JsonKind::kObject)) {
    return Error{ErrorCode::kInvalid, shown(pointer) + " is no object; it takes no members"};
  }
  if (at->find(key)) {
    return Error{ErrorCode::kInvalid,
                 "there is a " + shown(key) + " in " + shown(pointer) + " already"};
  }
  return insert_item(edited, *at, at->size(), quote_json(key) + ": " + std::string(json));
}

Result<std::string> insert_element(std::string_view text, std::string_view pointer,
                                   std::string_view json, std::optional<std::size_t> index) {
  Edited edited(text);
  if (!edited.good()) return edited.error();
  if (auto error = refuse_value(json)) return std::move(*error);
  const auto at = edited.find(pointer);
  if (!at) return not_found(pointer);
  if (!at->is(JsonKind::kList)) {
    return Error{ErrorCode::kInvalid, shown(pointer) + " is no list; it takes no elements"};
  }
  if (index.value_or(0) > at->size()) {
    return not_found(std::string(pointer) + "/" + std::to_string(*index));
  }
  return insert_item(edited, *at, index.value_or(at->size()), json);
}

Result<std::string> rename_member(std::string_view text, std::string_view pointer,
                                  std::string_view key) {
  Edited edited(text);
  if (!edited.good()) return edited.error();
  const auto at = edited.find(pointer);
  if (!at) return not_found(pointer);
  const auto parent = at->parent();
  if (!parent || !parent->is(JsonKind::kObject)) {
    return Error{ErrorCode::kInvalid, shown(pointer) + " has no key"};
  }
  if (at->key() != key && parent->find(key)) {
    return Error{ErrorCode::kInvalid,
                 "there is a " + shown(key) + " beside " + shown(pointer) + " already"};
  }
  std::size_t end = at->key_begin() + 1;
  while (edited.text()[end] != '"') end += edited.text()[end] == '\\' ? 2 : 1;
  return edited.with(at->key_begin(), end + 1, quote_json(key));
}

Result<std::string> remove_value(std::string_view text, std::string_view pointer) {
  Edited edited(text);
  if (!edited.good()) return edited.error();
  const auto at = edited.find(pointer);
  if (!at) return not_found(pointer);
  const auto parent = at->parent();
  if (!parent) return Error{ErrorCode::kInvalid, "the whole document cannot be removed"};
  const std::vector<Json> children = parent->children();
  const std::string_view all = edited.text();
  const std::size_t index = at->ordinal();
  const bool is_last = index + 1 == children.size();
  const std::size_t after_end = is_last ? parent->end() - 1 : children[index + 1].key_begin();

  // What is behind the value and belongs to it: its comma and the comments on its line.
  std::size_t line_ends = 0;
  const std::vector<JsonComment> after = comments_between(all, at->end(), after_end, line_ends);
  std::size_t end = at->end();
  std::size_t comma = std::string_view::npos;
  for (std::size_t i = at->end(); i < after_end;) {
    const auto comment = std::find_if(after.begin(), after.end(),
                                      [&](const JsonComment& c) { return c.begin == i; });
    if (comment != after.end()) {
      i = comment->end;
    } else if (all[i] == ',') {
      comma = i++;
    } else {
      ++i;
    }
  }
  for (const JsonComment& comment : after) {
    if (comment.line_ends_before > 0) break;
    end = comment.end;
  }
  std::string kept;  // comments behind the line, but before the comma
  if (!is_last && comma >= end) {
    kept = all.substr(end, comma - end);
    end = comma + 1;
  }
  while (end < all.size() && (all[end] == ' ' || all[end] == '\t')) ++end;

  std::size_t begin = at->key_begin();
  const std::string_view indent = edited.indent_at(begin);
  const bool starts_line =
      begin == indent.size() || (begin > indent.size() && all[begin - indent.size() - 1] == '\n');
  const bool ends_line = end < all.size() && (all[end] == '\n' || all[end] == '\r');
  const bool blank_kept = kept.find_first_not_of(" \t\r\n") == std::string::npos;
  if (starts_line && ends_line && blank_kept) {
    begin -= indent.size();
    end = all.find('\n', end) + 1;
    kept.clear();
  }
  std::string result = edited.with(begin, end, kept);
  if (!is_last || children.size() == 1) return result;

  // It was the last: the comma behind the one before it goes too.
  const Json& previous = children[index - 1];
  const std::vector<JsonComment> between =
      comments_between(all, previous.end(), at->key_begin(), line_ends);
  std::size_t place = previous.end();
  while (all[place] != ',') {
    const auto comment = std::find_if(between.begin(), between.end(),
                                      [&](const JsonComment& c) { return c.begin == place; });
    place = comment != between.end() ? comment->end : place + 1;
  }
  const std::size_t bom = text.size() - all.size();
  result.erase(bom + place, 1);
  if (!starts_line) {
    // On one line the blanks before the value go with it.
    const std::size_t blanks = bom + place;
    std::size_t stop = blanks;
    while (stop < result.size() && result[stop] == ' ') ++stop;
    if (between.empty()) result.erase(blanks, stop - blanks);
  }
  return result;
}

Result<std::string> set_value(std::string_view text, std::string_view pointer,
                              std::string_view json) {
  {
    Edited edited(text);
    if (!edited.good()) return edited.error();
    if (edited.find(pointer)) return replace_value(text, pointer, json);
  }
  if (auto error = refuse_value(json)) return std::move(*error);
  const std::size_t slash = pointer.rfind('/');
  if (slash == std::string_view::npos) return not_found(pointer);
  std::string key;
  for (std::size_t i = slash + 1; i < pointer.size(); ++i) {
    if (pointer[i] == '~' && i + 1 < pointer.size()) {
      key += pointer[++i] == '0' ? '~' : '/';
    } else {
      key += pointer[i];
    }
  }
  const std::string_view parent = pointer.substr(0, slash);
  Edited edited(text);
  if (edited.find(parent)) return insert_member(text, parent, key, json);
  return set_value(text, parent, "{" + quote_json(key) + ": " + std::string(json) + "}");
}

}  // namespace sluice::graph
