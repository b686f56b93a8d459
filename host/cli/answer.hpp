// Reading what a host answers, where a missing part is no reason to stop. [any]
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/graph/value.hpp"

namespace sluice::cli {

// A member of an object; null if there is none.
inline const graph::Value& at(const graph::Value& object, std::string_view key) {
  static const graph::Value none;
  const graph::Value* value = object.find(key);
  return value ? *value : none;
}
inline std::string text(const graph::Value& value) { return value.is_text() ? value.text() : ""; }
inline int64_t whole(const graph::Value& value) { return value.is_integer() ? value.integer() : 0; }
inline double number(const graph::Value& value) { return value.is_number() ? value.number() : 0.0; }
// None if it is no object.
inline const graph::Value::Object& members(const graph::Value& value) {
  static const graph::Value::Object none;
  return value.is_object() ? value.members() : none;
}
// None if it is no list.
inline const graph::Value::Array& elements(const graph::Value& value) {
  static const graph::Value::Array none;
  return value.is_array() ? value.elements() : none;
}

}  // namespace sluice::cli
