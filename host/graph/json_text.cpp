#include "host/graph/json_text.hpp"

#include <algorithm>
#include <charconv>

#include "host/graph/json_parser.hpp"
#include "host/graph/utf8.hpp"

namespace sluice::graph {
namespace {

char32_t hex4(std::string_view json, std::size_t at) {
  unsigned value = 0;
  std::from_chars(json.data() + at, json.data() + at + 4, value, 16);
  return value;
}

// One unit of a text: a character or an escape. Moves `at` past it and appends it to `out`.
void decode_unit(std::string_view json, std::size_t& at, std::string& out) {
  if (json[at] != '\\') {
    out += json[at++];
    return;
  }
  const char escape = json[at + 1];
  at += 2;
  switch (escape) {
    case 'b':
      out += '\b';
      return;
    case 'f':
      out += '\f';
      return;
    case 'n':
      out += '\n';
      return;
    case 'r':
      out += '\r';
      return;
    case 't':
      out += '\t';
      return;
    case 'u': {
      char32_t code_point = hex4(json, at);
      at += 4;
      if (code_point >= 0xD800 && code_point < 0xDC00) {
        code_point = 0x10000 + ((code_point - 0xD800) << 10) + (hex4(json, at + 2) - 0xDC00);
        at += 6;
      }
      append_utf8(out, code_point);
      return;
    }
    default:
      out += escape;
  }
}

Value number_value(std::string_view text) {
  const char* const end = text.data() + text.size();
  if (text.find_first_of(".eE") == std::string_view::npos) {
    std::int64_t whole = 0;
    std::from_chars(text.data(), end, whole);
    return whole;
  }
  double number = 0;
  std::from_chars(text.data(), end, number);
  return number;
}

}  // namespace

JsonKind Json::kind() const { return text_->nodes_[index_].kind; }
const SourceText& Json::source() const { return text_->source_; }
std::string Json::pointer() const { return text_->pointer(index_); }
std::size_t Json::begin() const { return text_->nodes_[index_].begin; }
std::size_t Json::end() const { return text_->nodes_[index_].end; }
std::size_t Json::size() const { return text_->nodes_[index_].size; }
std::size_t Json::ordinal() const { return text_->nodes_[index_].ordinal; }

std::size_t Json::key_begin() const {
  const JsonText::Node& node = text_->nodes_[index_];
  return node.key_begin == JsonText::kNone ? node.begin : node.key_begin;
}

Location Json::at() const { return source().locate(begin(), pointer()); }
Location Json::key_at() const { return source().locate(key_begin(), pointer()); }

std::string Json::key() const { return decode_text(source().text(), key_begin()); }
std::string Json::text() const { return decode_text(source().text(), begin()); }

std::vector<Json> Json::children() const {
  std::vector<Json> all;
  all.reserve(size());
  if (size() == 0) return all;
  for (std::uint32_t i = index_ + 1; i != JsonText::kNone; i = text_->nodes_[i].next) {
    all.emplace_back(text_, i);
  }
  return all;
}

std::optional<Json> Json::find(std::string_view key) const {
  if (kind() != JsonKind::kObject || size() == 0) return {};
  for (std::uint32_t i = index_ + 1; i != JsonText::kNone; i = text_->nodes_[i].next) {
    const Json child(text_, i);
    if (child.key() == key) return child;
  }
  return {};
}

std::optional<Json> Json::parent() const {
  const std::uint32_t parent = text_->nodes_[index_].parent;
  if (parent == JsonText::kNone) return {};
  return Json(text_, parent);
}

Value Json::value() const {
  const std::string_view raw = source().text().substr(begin(), end() - begin());
  switch (kind()) {
    case JsonKind::kNull:
      return {};
    case JsonKind::kBoolean:
      return raw == "true";
    case JsonKind::kNumber:
      return number_value(raw);
    case JsonKind::kText:
      return text();
    case JsonKind::kList: {
      Value::Array elements;
      elements.reserve(size());
      for (const Json& child : children()) elements.push_back(child.value());
      return elements;
    }
    case JsonKind::kObject: {
      Value::Object members;
      members.reserve(size());
      for (const Json& child : children()) members.push_back({child.key(), child.value()});
      return members;
    }
  }
  return {};
}

JsonText::JsonText(const SourceText& source, Report& report) : source_(source) {
  complete_ = JsonParser(*this, report).parse();
}

std::optional<Json> JsonText::root() const {
  if (!complete_) return {};
  return Json(this, 0);
}

std::string JsonText::pointer(std::uint32_t index) const {
  std::vector<std::uint32_t> path;
  for (; nodes_[index].parent != kNone; index = nodes_[index].parent) path.push_back(index);
  std::string pointer;
  for (auto step = path.rbegin(); step != path.rend(); ++step) {
    const Node& node = nodes_[*step];
    pointer =
        pointer_to(pointer, node.key_begin == kNone ? std::to_string(node.ordinal)
                                                    : decode_text(source_.text(), node.key_begin));
  }
  return pointer;
}

std::optional<Json> JsonText::find(std::string_view pointer) const {
  std::optional<Json> at = root();
  while (at && !pointer.empty()) {
    if (pointer[0] != '/') return {};
    const std::size_t slash = std::min(pointer.find('/', 1), pointer.size());
    std::string token;
    for (std::size_t i = 1; i < slash; ++i) {
      if (pointer[i] == '~' && i + 1 < slash && (pointer[i + 1] == '0' || pointer[i + 1] == '1')) {
        token += pointer[++i] == '0' ? '~' : '/';
      } else {
        token += pointer[i];
      }
    }
    pointer.remove_prefix(slash);
    if (at->is(JsonKind::kObject)) {
      at = at->find(token);
    } else if (at->is(JsonKind::kList)) {
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
      const bool whole = error == std::errc() && end == token.data() + token.size() &&
                         (token == "0" || token[0] != '0') && index < at->size();
      if (!whole) return {};
      at = at->children()[index];
    } else {
      return {};
    }
  }
  return at;
}

std::string decode_text(std::string_view json, std::size_t begin) {
  std::string text;
  for (std::size_t at = begin + 1; json[at] != '"';) decode_unit(json, at, text);
  return text;
}

std::size_t offset_in_text(std::string_view json, std::size_t begin, std::size_t index) {
  std::size_t at = begin + 1;
  std::string decoded;
  while (json[at] != '"') {
    const std::size_t unit = at;
    decode_unit(json, at, decoded);
    if (decoded.size() > index) return unit;
  }
  return at;
}

std::size_t skip_blanks(std::string_view json, std::size_t at) {
  while (at < json.size()) {
    const char c = json[at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++at;
    } else if (json.substr(at, 2) == "//") {
      at = std::min(json.find('\n', at), json.size());
    } else if (json.substr(at, 2) == "/*") {
      const std::size_t end = json.find("*/", at + 2);
      at = end == std::string_view::npos ? json.size() : end + 2;
    } else {
      break;
    }
  }
  return at;
}

std::optional<Value> parse_json_value(std::string_view text) {
  const SourceText source("", {}, std::string(text));
  Report report;
  const JsonText json(source, report);
  if (report.has_errors() || !json.root()) return {};
  return json.root()->value();
}

}  // namespace sluice::graph
