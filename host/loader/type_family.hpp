// Types that a plugin makes on request: the members of a family, such as the plugins of another
// kind that it hosts. [control]
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/loader/type.hpp"
#include "host/support/result.hpp"

namespace sluice::loader {

// See sluice_listed_member; an empty remark is none.
struct ListedMember {
  std::string name, title, system, remark;
};

struct MemberList {
  std::vector<ListedMember> members;  // in the plugin's order
  std::vector<std::string> remarks;   // sentences about the list itself
};

// Asks the plugin of `family`, which is loaded. A type that is no family has an empty list. What a
// plugin hands over against the rules is left out, with a remark that names the plugin.
MemberList list_members(const Type& family);

// The type `id`, "FAMILY/NAME", of `family`, checked like every other; the same one for the same id
// until the process ends. Errors: kNotFound with the plugin's sentence; kInvalid with what is wrong
// with the type it made.
support::Result<const Type*> find_member(const Type& family, std::string_view id);

}  // namespace sluice::loader
