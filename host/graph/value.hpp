// A JSON value that keeps the order of its members, and its text form.
//
// Plain data, [any]. Whole numbers that fit 64 bits stay whole; all others are doubles. Numbers are
// written and read the same in every locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sluice::graph {

class Value;
struct Member;

class Value {
 public:
  using Array = std::vector<Value>;
  using Object = std::vector<Member>;

  Value() = default;             // null
  Value(bool b);                 // NOLINT: implicit
  Value(int number);             // NOLINT: implicit
  Value(std::int64_t number);    // NOLINT: implicit
  Value(double number);          // NOLINT: implicit
  Value(std::string text);       // NOLINT: implicit
  Value(std::string_view text);  // NOLINT: implicit
  Value(const char* text);       // NOLINT: implicit
  Value(Array elements);         // NOLINT: implicit
  Value(Object members);         // NOLINT: implicit

  static Value object();
  static Value array();

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_integer() const { return std::holds_alternative<std::int64_t>(data_); }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(data_); }
  bool is_text() const { return std::holds_alternative<std::string>(data_); }
  bool is_array() const { return std::holds_alternative<Array>(data_); }
  bool is_object() const { return std::holds_alternative<Object>(data_); }

  // Each reads what is_...() says is there; anything else is a programming error (asserted).
  bool boolean() const;
  std::int64_t integer() const;
  double number() const;  // whole numbers too
  const std::string& text() const;
  const Array& elements() const;
  Array& elements();
  const Object& members() const;
  Object& members();

  // The member `key` of an object; null if there is none or this is no object.
  const Value* find(std::string_view key) const;
  // Sets a member of an object (a null value becomes one); a new one goes to the end.
  Value& set(std::string key, Value value);
  void push_back(Value value);  // to an array (a null value becomes one)

  // "an object", "a list", "text", "a number", "true or false", "null": for sentences.
  std::string_view kind_name() const;

  // 1 equals 1.0; objects are equal only with their members in the same order.
  friend bool operator==(const Value& a, const Value& b);

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> data_;
};

struct Member {
  std::string key;
  Value value;

  friend bool operator==(const Member& a, const Member& b) = default;
};

// Shortest text that reads back as the same number: "48000", "-6.5", "1e+30". Must be finite.
std::string number_text(double number);

// `text` with its quotes and escapes, as JSON wants it. Bytes that are not UTF-8 become U+FFFD.
std::string quote_json(std::string_view text);

// One line: {"a": 1, "b": [1, 2]}.
std::string to_json(const Value& value);

// Over several lines, two spaces a level; what fits in 100 columns stays on one line.
std::string to_pretty_json(const Value& value);

}  // namespace sluice::graph
