// JSON with comments, read so that every value knows where it stands. [control]
//
// RFC 8259, plus // and /* */ comments. Refused beyond that: a key twice in one object, numbers
// that neither a 64-bit whole number nor a double can hold, NUL in texts, nesting past
// kMaximumNesting, more than kMaximumValues values. Reads on after a trailing or missing comma and
// after a second key, so that those and all that is wrong with the content are reported together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/graph/report.hpp"
#include "host/graph/source_text.hpp"
#include "host/graph/value.hpp"

namespace sluice::graph {

enum class JsonKind : std::uint8_t { kNull, kBoolean, kNumber, kText, kList, kObject };

class JsonText;

// One value in a JsonText, which must outlive it. Cheap to copy.
class Json {
 public:
  Json(const JsonText* text, std::uint32_t index) : text_(text), index_(index) {}

  JsonKind kind() const;
  bool is(JsonKind kind) const { return this->kind() == kind; }

  const SourceText& source() const;
  std::string pointer() const;
  Location at() const;      // of the value
  Location key_at() const;  // of its key in an object, else of the value
  std::size_t begin() const;
  std::size_t end() const;        // one past its last byte
  std::size_t key_begin() const;  // a member's opening quote; else begin()

  std::string key() const;   // of a member
  std::string text() const;  // of a text, without escapes
  std::size_t size() const;  // members or elements
  std::vector<Json> children() const;
  std::optional<Json> find(std::string_view key) const;
  std::optional<Json> parent() const;
  std::size_t ordinal() const;  // among its parent's children

  // With everything below it.
  Value value() const;

 private:
  const JsonText* text_;
  std::uint32_t index_;
};

class JsonText {
 public:
  // Reads `source`, which must outlive this. Whatever is wrong goes to `report`.
  JsonText(const SourceText& source, Report& report);

  JsonText(const JsonText&) = delete;
  JsonText& operator=(const JsonText&) = delete;

  const SourceText& source() const { return source_; }
  // Nothing if reading could not go on to the end.
  std::optional<Json> root() const;
  // The value at a JSON pointer (RFC 6901); nothing if there is none.
  std::optional<Json> find(std::string_view pointer) const;

 private:
  friend class Json;
  friend class JsonParser;

  struct Node {
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t key_begin;  // kNone: not a member
    std::uint32_t parent;     // kNone: the root
    std::uint32_t next;       // sibling; kNone: the last
    std::uint32_t ordinal;
    std::uint32_t size;
    JsonKind kind;
  };
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  std::string pointer(std::uint32_t index) const;

  const SourceText& source_;
  std::vector<Node> nodes_;  // a container's first child follows it
  bool complete_ = false;
};

// Decodes the text whose opening quote is at `begin` of well-formed JSON.
std::string decode_text(std::string_view json, std::size_t begin);

// Where byte `index` of that text is written; its end is the closing quote.
std::size_t offset_in_text(std::string_view json, std::size_t begin, std::size_t index);

// The end of the blanks and comments that begin at `at`. An open comment ends at the text's end.
std::size_t skip_blanks(std::string_view json, std::size_t at);

// One whole JSON value from text, located in nothing: for values from elsewhere than a file.
// Empty if it is no JSON.
std::optional<Value> parse_json_value(std::string_view text);

}  // namespace sluice::graph
