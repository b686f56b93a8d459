// Which thread class the call of a node has that is under way on this thread.
#pragma once

#include <utility>

#include "host/validate/node_host.hpp"
#include "host/validate/rt_guard.hpp"

namespace sluice::validate {

namespace detail {
inline thread_local constinit CallClass call_class = CallClass::kNone;
}

inline CallClass current_call_class() { return detail::call_class; }

inline const char* name_of(CallClass call_class) {
  switch (call_class) {
    case CallClass::kControl:
      return "a [control] call";
    case CallClass::kAudio:
      return "an [audio] call";
    case CallClass::kWorker:
      return "its [worker] thread";
    default:
      return "a thread of its own";
  }
}

// Makes a call of the node; code of the plugin runs while it lasts. [any]
template <typename Body>
auto in_call(CallClass call_class, Body body) {
  struct Scope {
    explicit Scope(CallClass now) : before(std::exchange(detail::call_class, now)) {}
    ~Scope() { detail::call_class = before; }
    const CallClass before;
    const PluginCode code{true};
  };
  const Scope scope(call_class);
  return body();
}

}  // namespace sluice::validate
