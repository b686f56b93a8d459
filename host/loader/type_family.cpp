#include "host/loader/type_family.hpp"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <optional>

#include "host/loader/descriptor.hpp"
#include "host/loader/library.hpp"
#include "host/support/printable.hpp"

namespace sluice::loader {
namespace {

using support::Error;
using support::ErrorCode;

constexpr size_t kMostMemberTextBytes = 1024;

struct TakingMembers {
  const Type& family;
  MemberList list;

  static std::string text(const char* text) {
    return text == nullptr ? std::string() : support::printable(text, kMostMemberTextBytes);
  }
  void member(const sluice_listed_member& given) {
    const auto member = copy_sized<sluice_listed_member>(&given, given.struct_size);
    ListedMember listed{text(member.name), text(member.title), text(member.system),
                        text(member.remark)};
    if (!is_member_id(fmt::format("{}/{}", family.id(), member.name ? member.name : ""))) {
      list.remarks.push_back(fmt::format("{}: a member of {} was left out: {} cannot be a name.",
                                         family.file().string(), family.id(), listed.name));
      return;
    }
    list.members.push_back(std::move(listed));
  }
};

const sluice_type_families* table_of(const Type& family, const Library*& library) {
  if (!family.has_flag(SLUICE_TYPE_FAMILY)) return nullptr;
  const auto loaded = Library::load(family.file());
  if (!loaded) return nullptr;
  library = *loaded;
  return static_cast<const sluice_type_families*>(library->extension(SLUICE_TYPE_FAMILIES));
}

struct Made {
  TypeRecord record;
  std::optional<Type> type;
};

}  // namespace

MemberList list_members(const Type& family) {
  const Library* library = nullptr;
  const sluice_type_families* const table = table_of(family, library);
  if (table == nullptr || table->list == nullptr) return {};
  TakingMembers taking{family, {}};
  const sluice_member_listing listing{
      sizeof(sluice_member_listing), &taking,
      [](void* context, const sluice_listed_member* member) {
        static_cast<TakingMembers*>(context)->member(*member);
      },
      [](void* context, const char* sentence) {
        static_cast<TakingMembers*>(context)->list.remarks.push_back(TakingMembers::text(sentence));
      }};
  table->list(family.data().id, &listing);
  return std::move(taking.list);
}

support::Result<const Type*> find_member(const Type& family, std::string_view id) {
  // Never destroyed: engines keep types until the process ends.
  static auto* const known = new std::map<std::string, Made, std::less<>>;
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  const std::string key = fmt::format("{}\n{}", family.file().string(), id);
  if (const auto found = known->find(key); found != known->end()) return &*found->second.type;

  const Library* library = nullptr;
  const sluice_type_families* const table = table_of(family, library);
  if (table == nullptr || table->find == nullptr || !is_member_id(id)) {
    return Error{ErrorCode::kNotFound, fmt::format("{} has no member of the name {}.", family.id(),
                                                   support::printable(id, kMostMemberTextBytes))};
  }
  std::string why;
  const std::string name(id.substr(family.id().size() + 1));
  const sluice_type* const type =
      table->find(family.data().id, name.c_str(), &why, [](void* context, const char* sentence) {
        *static_cast<std::string*>(context) = TakingMembers::text(sentence);
      });
  if (type == nullptr) {
    return Error{ErrorCode::kNotFound,
                 why.empty() ? fmt::format("{} has no member {}.", family.id(), name) : why};
  }
  Made& made = (*known)[key];
  std::vector<std::string> wrong = copy_type(type, made.record);
  if (wrong.empty()) wrong = check_type(made.record, library->abi_minor(), true);
  if (wrong.empty() && made.record.data.id != id) {
    wrong.push_back(fmt::format("type {}: it was made for {}.", made.record.data.id, id));
  }
  if (!wrong.empty()) {
    known->erase(key);
    return Error{ErrorCode::kInvalid, fmt::format("{}: {}", family.file().string(), wrong.front())};
  }
  return &made.type.emplace(made.record.data, family.file());
}

}  // namespace sluice::loader
