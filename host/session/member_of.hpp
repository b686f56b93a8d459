// Reading documents, where a missing part is as good as an empty one. [any]
#pragma once

#include <string_view>

#include "host/graph/value.hpp"

namespace sluice::session {

// A member of an object; an empty object if there is none.
inline const graph::Value& member(const graph::Value& object, std::string_view key) {
  static const graph::Value none = graph::Value::object();
  const graph::Value* value = object.find(key);
  return value ? *value : none;
}

}  // namespace sluice::session
