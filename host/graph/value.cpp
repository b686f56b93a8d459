#include "host/graph/value.hpp"

#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstddef>

#include "host/graph/utf8.hpp"
#include "host/support/printable.hpp"

namespace sluice::graph {
namespace {

constexpr std::size_t kTextColumns = 100;
constexpr std::size_t kTextIndent = 2;

void write_line(std::string& out, const Value& value) {
  if (value.is_null()) {
    out += "null";
  } else if (value.is_bool()) {
    out += value.boolean() ? "true" : "false";
  } else if (value.is_integer()) {
    out += std::to_string(value.integer());
  } else if (value.is_number()) {
    out += number_text(value.number());
  } else if (value.is_text()) {
    out += quote_json(value.text());
  } else if (value.is_array()) {
    out += '[';
    bool first = true;
    for (const Value& element : value.elements()) {
      if (!first) out += ", ";
      first = false;
      write_line(out, element);
    }
    out += ']';
  } else {
    out += '{';
    bool first = true;
    for (const Member& member : value.members()) {
      if (!first) out += ", ";
      first = false;
      out += quote_json(member.key);
      out += ": ";
      write_line(out, member.value);
    }
    out += '}';
  }
}

// `taken` columns of the line are used by indentation, key and what follows the value.
void write_pretty(std::string& out, const Value& value, std::size_t level, std::size_t taken) {
  const std::size_t begin = out.size();
  write_line(out, value);
  const std::size_t width = count_code_points(std::string_view(out).substr(begin));
  const bool is_list = value.is_array() && !value.elements().empty();
  const bool is_object = value.is_object() && !value.members().empty();
  if (width + taken <= kTextColumns || (!is_list && !is_object)) return;
  out.resize(begin);
  const std::size_t inner = (level + 1) * kTextIndent;
  auto next = [&, first = true]() mutable {
    if (!first) out += ',';
    first = false;
    out += '\n';
    out.append(inner, ' ');
  };
  out += is_list ? '[' : '{';
  if (is_list) {
    for (const Value& element : value.elements()) {
      next();
      write_pretty(out, element, level + 1, inner + 1);
    }
  } else {
    for (const Member& member : value.members()) {
      next();
      const std::string key = quote_json(member.key) + ": ";
      out += key;
      write_pretty(out, member.value, level + 1, inner + count_code_points(key) + 1);
    }
  }
  out += '\n';
  out.append(level * kTextIndent, ' ');
  out += is_list ? ']' : '}';
}

}  // namespace

Value::Value(bool b) : data_(b) {}
Value::Value(int number) : data_(std::int64_t{number}) {}
Value::Value(std::int64_t number) : data_(number) {}
Value::Value(double number) : data_(number) {}
Value::Value(std::string text) : data_(std::move(text)) {}
Value::Value(std::string_view text) : data_(std::string(text)) {}
Value::Value(const char* text) : data_(std::string(text)) {}
Value::Value(Array elements) : data_(std::move(elements)) {}
Value::Value(Object members) : data_(std::move(members)) {}

Value Value::object() { return Value(Object{}); }
Value Value::array() { return Value(Array{}); }

bool Value::boolean() const {
  assert(is_bool());
  return *std::get_if<bool>(&data_);
}

std::int64_t Value::integer() const {
  assert(is_integer());
  return *std::get_if<std::int64_t>(&data_);
}

double Value::number() const {
  assert(is_number());
  if (is_integer()) return static_cast<double>(integer());
  return *std::get_if<double>(&data_);
}

const std::string& Value::text() const {
  assert(is_text());
  return *std::get_if<std::string>(&data_);
}

const Value::Array& Value::elements() const {
  assert(is_array());
  return *std::get_if<Array>(&data_);
}

Value::Array& Value::elements() {
  assert(is_array());
  return *std::get_if<Array>(&data_);
}

const Value::Object& Value::members() const {
  assert(is_object());
  return *std::get_if<Object>(&data_);
}

Value::Object& Value::members() {
  assert(is_object());
  return *std::get_if<Object>(&data_);
}

const Value* Value::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const Member& member : members()) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

Value& Value::set(std::string key, Value value) {
  if (is_null()) *this = object();
  for (Member& member : members()) {
    if (member.key == key) return member.value = std::move(value);
  }
  members().push_back({std::move(key), std::move(value)});
  return members().back().value;
}

void Value::push_back(Value value) {
  if (is_null()) *this = array();
  elements().push_back(std::move(value));
}

std::string_view Value::kind_name() const {
  if (is_null()) return "null";
  if (is_bool()) return "true or false";
  if (is_number()) return "a number";
  if (is_text()) return "text";
  if (is_array()) return "a list";
  return "an object";
}

bool operator==(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number() && a.is_integer() != b.is_integer()) {
    return a.number() == b.number();
  }
  return a.data_ == b.data_;
}

std::string number_text(double number) {
  assert(std::isfinite(number));
  constexpr double kWholeLimit = 1e15;  // below 2^53: every whole number is itself
  std::array<char, 64> buffer;
  char* const begin = buffer.data();
  char* const end = begin + buffer.size();
  std::to_chars_result result{};
  if (std::abs(number) < kWholeLimit && number == std::trunc(number)) {
    result = std::to_chars(begin, end, static_cast<std::int64_t>(number));
  } else if (std::abs(number) < kWholeLimit && std::abs(number) >= 1e-4) {
    result = std::to_chars(begin, end, number, std::chars_format::fixed);
  } else {
    result = std::to_chars(begin, end, number);
  }
  return std::string(begin, result.ptr);
}

std::string quote_json(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = support::utf8_length(text.substr(at));
    const char c = text[at];
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++at;
      continue;
    }
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          const auto code = static_cast<unsigned char>(c);
          out += "\\u00";
          out += kHex[code >> 4];
          out += kHex[code & 0xF];
        } else {
          out += text.substr(at, length);
        }
    }
    at += length;
  }
  out += '"';
  return out;
}

std::string to_json(const Value& value) {
  std::string out;
  write_line(out, value);
  return out;
}

std::string to_pretty_json(const Value& value) {
  std::string out;
  write_pretty(out, value, 0, 0);
  return out;
}

}  // namespace sluice::graph
