#include "host/graph/json_parser.hpp"

#include <algorithm>
#include <charconv>
#include <deque>
#include <tuple>

#include "host/graph/load.hpp"
#include "host/graph/shown.hpp"
#include "host/graph/utf8.hpp"
#include "host/support/printable.hpp"

namespace sluice::graph {
namespace {

constexpr std::string_view kTooManyValues =
    "there are 500000 values up to here, the most a graph file may have";
// More of them, and it was never meant to be JSON.
constexpr int kMaximumMissingCommas = 20;
constexpr std::size_t kMaximumKeyBytes = 4096;
constexpr std::string_view kNumberHelp = "; write numbers like 48000, -6.5 or 1e-3";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
         c == '+' || c == '-' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

bool begins_value(char c) {
  return c == '"' || c == '{' || c == '[' || c == '-' || is_digit(c) || c == 't' || c == 'f' ||
         c == 'n';
}

// The length of the JSON number that `text` begins with; 0 if it begins with none.
std::size_t number_length(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at > begin;
  };
  if (at < text.size() && text[at] == '-') ++at;
  if (at < text.size() && text[at] == '0') {
    ++at;
  } else if (!digits()) {
    return 0;
  }
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (!digits()) return 0;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (!digits()) return 0;
  }
  return at;
}

std::string character_name(std::string_view text, std::size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x20 || byte == 0x7F) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    return std::string("the control character 0x") + kHex[byte >> 4] + kHex[byte & 0xF];
  }
  return "'" + std::string(text.substr(at, support::utf8_length(text.substr(at)))) + "'";
}

}  // namespace

JsonParser::JsonParser(JsonText& target, Report& report)
    : target_(target), report_(report), json_(target.source_.text()) {}

void JsonParser::complain(std::size_t offset, std::uint32_t index, std::string message) {
  std::string pointer = index == JsonText::kNone ? std::string() : target_.pointer(index);
  report_.error(target_.source_.locate(offset, std::move(pointer)), std::move(message));
}

bool JsonParser::fail(std::size_t offset, std::uint32_t index, std::string message) {
  complain(offset, index, std::move(message));
  return false;
}

bool JsonParser::parse() {
  report_.announce(target_.source_.name());
  if (!readable()) return false;
  reserve();
  if (!blanks(JsonText::kNone)) return false;
  if (at_end()) {
    return fail(at_, JsonText::kNone, "there is nothing here; a graph is one JSON object: {...}");
  }
  if (!value(JsonText::kNone, JsonText::kNone, 0, 1)) return false;
  if (!blanks(JsonText::kNone)) return false;
  if (at_end()) return true;
  return fail(at_, JsonText::kNone,
              character_name(json_, at_) +
                  " follows the end of the document; remove it, or "
                  "what closes the document too early");
}

bool JsonParser::readable() {
  if (json_.size() > kMaximumFileBytes) {
    return fail(0, JsonText::kNone, "this is larger than 16 MiB, the most a graph file may have");
  }
  if (json_.starts_with("\xFF\xFE") || json_.starts_with("\xFE\xFF")) {
    return fail(0, JsonText::kNone, "this is UTF-16; save it as UTF-8");
  }
  const std::size_t invalid = find_invalid_utf8(json_);
  if (invalid == std::string_view::npos) return true;
  return fail(invalid, JsonText::kNone, "this byte is not UTF-8; save the file as UTF-8");
}

// Every value but the first stands behind a bracket or a comma: one allocation of the right size
// instead of many that double.
void JsonParser::reserve() {
  std::size_t count = 1;
  for (std::size_t at = 0; at < json_.size() && count < kMaximumValues; ++at) {
    const char c = json_[at];
    if (c == '[' || c == '{' || c == ',') ++count;
  }
  target_.nodes_.reserve(count);
}

bool JsonParser::blanks(std::uint32_t inside) {
  while (!at_end()) {
    const std::size_t begin = at_;
    at_ = skip_blanks(json_, at_);
    const std::string_view skipped = json_.substr(begin, at_ - begin);
    if (!at_end()) break;
    // Only a comment that nobody closes can swallow the end; find out whether one did.
    for (std::size_t i = 0; i < skipped.size();) {
      if (skipped.substr(i, 2) == "/*") {
        const std::size_t end = skipped.find("*/", i + 2);
        if (end == std::string_view::npos) {
          return fail(begin + i, inside, "this comment is not closed; end it with */");
        }
        i = end + 2;
      } else if (skipped.substr(i, 2) == "//") {
        i = std::min(skipped.find('\n', i), skipped.size());
      } else {
        ++i;
      }
    }
  }
  return true;
}

bool JsonParser::value(std::uint32_t parent, std::uint32_t key_begin, std::uint32_t ordinal,
                       int depth) {
  const auto index = static_cast<std::uint32_t>(target_.nodes_.size());
  if (index >= kMaximumValues) return fail(at_, parent, std::string(kTooManyValues));
  target_.nodes_.push_back({static_cast<std::uint32_t>(at_), 0, key_begin, parent, JsonText::kNone,
                            ordinal, 0, JsonKind::kNull});
  const char c = here();
  bool good = false;
  if (c == '{' || c == '[') {
    if (depth > kMaximumNesting) {
      return fail(at_, index, "this is nested deeper than 64 levels, the most a graph may have");
    }
    good = c == '{' ? object(index, depth) : list(index, depth);
  } else if (c == '"') {
    target_.nodes_[index].kind = JsonKind::kText;
    good = text(index);
  } else if (c == '-' || is_digit(c)) {
    target_.nodes_[index].kind = JsonKind::kNumber;
    good = number(index);
  } else {
    good = word(index);
  }
  target_.nodes_[index].end = static_cast<std::uint32_t>(at_);
  return good;
}

bool JsonParser::unclosed(std::uint32_t index) {
  const Node& node = target_.nodes_[index];
  const Location begin = target_.source_.locate(node.begin, {});
  const bool is_object = node.kind == JsonKind::kObject;
  return fail(at_, index,
              std::string("the file ends inside the ") + (is_object ? "object" : "list") +
                  " that begins at line " + std::to_string(begin.line) + ", column " +
                  std::to_string(begin.column) + "; close it with " + (is_object ? "}" : "]"));
}

bool JsonParser::separator(std::uint32_t index, char closing, bool& more) {
  const std::size_t after_child = at_;
  if (!blanks(index)) return false;
  if (at_end()) return unclosed(index);
  if (here() == closing) {
    ++at_;
    more = false;
    return true;
  }
  more = true;
  if (here() == ',') {
    const std::size_t comma = at_++;
    if (!blanks(index)) return false;
    if (at_end()) return unclosed(index);
    if (here() == closing) {
      complain(
          comma, index,
          std::string("this is a trailing comma; remove it, nothing follows before ") + closing);
      ++at_;
      more = false;
    }
    return true;
  }
  const bool next_begins = closing == '}' ? here() == '"' : begins_value(here());
  if (next_begins) {
    complain(after_child, index, "a comma is missing here");
    return ++missing_commas_ < kMaximumMissingCommas;
  }
  return fail(
      at_, index,
      std::string("a comma or ") + closing + " must stand here, not " + character_name(json_, at_));
}

bool JsonParser::object(std::uint32_t index, int depth) {
  target_.nodes_[index].kind = JsonKind::kObject;
  ++at_;
  if (!blanks(index)) return false;
  if (at_end()) return unclosed(index);
  if (here() == '}') {
    ++at_;
    return true;
  }
  const std::size_t first_key = keys_.size();
  std::uint32_t previous = JsonText::kNone;
  for (bool more = true; more;) {
    const auto child = static_cast<std::uint32_t>(target_.nodes_.size());
    if (!member(index, target_.nodes_[index].size, depth)) return false;
    if (previous != JsonText::kNone) target_.nodes_[previous].next = child;
    previous = child;
    ++target_.nodes_[index].size;
    if (!separator(index, '}', more)) return false;
  }
  refuse_second_keys(index, first_key);
  return true;
}

bool JsonParser::member(std::uint32_t index, std::uint32_t ordinal, int depth) {
  if (here() != '"') {
    const std::string_view token = token_at(at_);
    if (token.empty()) {
      return fail(at_, index,
                  "a key in double quotes must stand here, not " + character_name(json_, at_));
    }
    return fail(at_, index, "keys stand in double quotes: " + shown(token));
  }
  const std::size_t key_begin = at_;
  if (!text(index)) return false;
  if (at_ - key_begin > kMaximumKeyBytes) {
    return fail(key_begin, index, "this key is longer than 4096 bytes, the most a key may have");
  }
  keys_.push_back(static_cast<std::uint32_t>(key_begin));
  const auto key = [&] { return shown(decode_text(json_, key_begin)); };
  if (!blanks(index)) return false;
  if (at_end()) return unclosed(index);
  if (here() != ':') {
    return fail(at_, index, "a colon must stand between " + key() + " and its value");
  }
  ++at_;
  if (!blanks(index)) return false;
  if (at_end()) return unclosed(index);
  if (here() == ',' || here() == '}') {
    return fail(at_, index, "the value of " + key() + " is missing");
  }
  return value(index, static_cast<std::uint32_t>(key_begin), ordinal, depth + 1);
}

void JsonParser::refuse_second_keys(std::uint32_t index, std::size_t first_key) {
  struct Key {
    std::string_view text;
    std::uint32_t begin;
  };
  std::deque<std::string> decoded;
  std::vector<Key> keys;
  keys.reserve(keys_.size() - first_key);
  for (std::size_t i = first_key; i < keys_.size(); ++i) {
    const std::string_view rest = json_.substr(keys_[i] + 1);
    std::string_view text = rest.substr(0, rest.find_first_of("\"\\"));
    if (rest[text.size()] == '\\') text = decoded.emplace_back(decode_text(json_, keys_[i]));
    keys.push_back({text, keys_[i]});
  }
  keys_.resize(first_key);
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    return std::tie(a.text, a.begin) < std::tie(b.text, b.begin);
  });
  for (std::size_t i = 1; i < keys.size(); ++i) {
    if (keys[i].text != keys[i - 1].text) continue;
    const Location before = target_.source_.locate(keys[i - 1].begin, {});
    report_.error(
        target_.source_.locate(keys[i].begin, pointer_to(target_.pointer(index), keys[i].text)),
        "the key " + shown(keys[i].text) + " is there already, at line " +
            std::to_string(before.line) + ", column " + std::to_string(before.column) +
            "; remove one of them");
  }
}

bool JsonParser::list(std::uint32_t index, int depth) {
  target_.nodes_[index].kind = JsonKind::kList;
  ++at_;
  if (!blanks(index)) return false;
  if (at_end()) return unclosed(index);
  if (here() == ']') {
    ++at_;
    return true;
  }
  std::uint32_t previous = JsonText::kNone;
  for (bool more = true; more;) {
    const auto child = static_cast<std::uint32_t>(target_.nodes_.size());
    if (here() == ',') return fail(at_, index, "a value is missing before this comma");
    if (!value(index, JsonText::kNone, target_.nodes_[index].size, depth + 1)) return false;
    if (previous != JsonText::kNone) target_.nodes_[previous].next = child;
    previous = child;
    ++target_.nodes_[index].size;
    if (!separator(index, ']', more)) return false;
  }
  return true;
}

bool JsonParser::text(std::uint32_t index) {
  const std::size_t begin = at_++;
  while (!at_end() && here() != '"') {
    const auto byte = static_cast<unsigned char>(here());
    if (byte == '\n' || byte == '\r') {
      return fail(begin, index, "this text is not closed on its line; end it with a double quote");
    }
    if (byte < 0x20) {
      return fail(at_, index,
                  character_name(json_, at_) + " must not stand in a text as it is; write " +
                      (byte == '\t' ? "\\t" : "it as \\u00.."));
    }
    if (byte == '\\') {
      if (!escape(index)) return false;
    } else {
      ++at_;
    }
  }
  if (at_end()) return fail(begin, index, "this text is not closed; end it with a double quote");
  ++at_;
  return true;
}

bool JsonParser::escape(std::uint32_t index) {
  const std::size_t begin = at_;
  const auto hex = [&](std::size_t at, unsigned& code) {
    if (at + 4 > json_.size()) return false;
    const std::string_view digits = json_.substr(at, 4);
    if (!std::all_of(digits.begin(), digits.end(), is_hex)) return false;
    std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    return true;
  };
  ++at_;
  if (at_end()) return fail(begin, index, "the file ends inside a text");
  if (here() != 'u') {
    if (std::string_view("\"\\/bfnrt").find(here()) == std::string_view::npos) {
      return fail(begin, index,
                  "a backslash must be written twice; alone it begins one of \\\" \\\\ \\/ \\b \\f "
                  "\\n \\r \\t \\u0000");
    }
    ++at_;
    return true;
  }
  ++at_;
  unsigned code = 0;
  if (!hex(at_, code)) return fail(begin, index, "\\u must be followed by four hex digits");
  at_ += 4;
  if (code == 0) return fail(begin, index, "\\u0000 (NUL) must not stand in a text");
  if (code < 0xD800 || code > 0xDFFF) return true;
  unsigned low = 0;
  const bool paired = code < 0xDC00 && json_.substr(at_, 2) == "\\u" && hex(at_ + 2, low) &&
                      low >= 0xDC00 && low <= 0xDFFF;
  if (!paired) {
    return fail(begin, index,
                "this is half of a surrogate pair; write the character itself or both halves");
  }
  at_ += 6;
  return true;
}

std::string_view JsonParser::token_at(std::size_t begin) const {
  std::size_t end = begin;
  while (end < json_.size() && is_word(json_[end])) ++end;
  return json_.substr(begin, end - begin);
}

bool JsonParser::number(std::uint32_t index) {
  const std::string_view token = token_at(at_);
  if (token == "-Infinity" || token == "-inf") {
    return fail(at_, index, "JSON has no infinity; write a finite number");
  }
  if (number_length(token) != token.size()) {
    return fail(at_, index, shown(token) + " is not a number" + std::string(kNumberHelp));
  }
  const char* const end = token.data() + token.size();
  if (token.find_first_of(".eE") == std::string_view::npos) {
    std::int64_t whole = 0;
    if (std::from_chars(token.data(), end, whole).ec != std::errc()) {
      return fail(at_, index,
                  shown(token) +
                      " is out of range; whole numbers go from -9223372036854775808 to "
                      "9223372036854775807");
    }
  } else {
    double number = 0;
    if (std::from_chars(token.data(), end, number).ec != std::errc()) {
      return fail(at_, index,
                  shown(token) +
                      " is out of range; numbers go from 2.3e-308 to 1.7e308 and the "
                      "same below zero");
    }
  }
  at_ += token.size();
  return true;
}

bool JsonParser::word(std::uint32_t index) {
  const std::string_view token = token_at(at_);
  Node& node = target_.nodes_[index];
  if (token == "true" || token == "false") {
    node.kind = JsonKind::kBoolean;
  } else if (token != "null") {
    if (token.empty()) {
      if (here() == '\'') return fail(at_, index, "texts stand in double quotes, not single ones");
      return fail(at_, index, "a value must stand here, not " + character_name(json_, at_));
    }
    std::string lower(token);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower == "true" || lower == "false" || lower == "null") {
      return fail(at_, index, std::string(token) + " is written " + lower + " in JSON");
    }
    if (lower == "nan" || lower == "infinity" || lower == "inf") {
      return fail(at_, index, "JSON has no " + std::string(token) + "; write a finite number");
    }
    if (token[0] == '+' || token[0] == '.') {
      return fail(at_, index, shown(token) + " is not a number" + std::string(kNumberHelp));
    }
    return fail(at_, index, "texts stand in double quotes: " + shown(token));
  }
  at_ += token.size();
  return true;
}

}  // namespace sluice::graph
