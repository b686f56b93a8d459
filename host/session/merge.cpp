#include "host/session/merge.hpp"

#include <algorithm>

namespace sluice::session {

graph::Value merged(const graph::Value& before, const graph::Value& after, graph::Value now) {
  if (before == after) return now;
  if (!before.is_object() || !after.is_object() || !now.is_object()) return after;
  std::erase_if(now.members(), [&](const graph::Member& member) {
    return before.find(member.key) && !after.find(member.key);
  });
  for (const graph::Member& member : after.members()) {
    const graph::Value* old = before.find(member.key);
    if (old && *old == member.value) continue;
    const graph::Value* here = now.find(member.key);
    now.set(member.key, old && here ? merged(*old, member.value, *here) : member.value);
  }
  return now;
}

}  // namespace sluice::session
