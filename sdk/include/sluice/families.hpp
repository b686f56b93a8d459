// Families of types: one node class for many types that are known only while the program runs, such
// as plugins of another kind that it hosts. `sluice plugins --hosted` lists their members.
//
// A node class that stands for a family declares
//   static void list_members(const sluice::MemberListing& listing)      [control]
//   static const sluice_type* find_member(std::string_view name)        [control]
// and SLUICE_PLUGIN does the rest. The type that find_member gives is made with MadeType and kept
// for good; trouble is a sluice::Failure thrown. All nodes of the family are of that class: what
// tells them apart is a parameter of the type, whose default says what it is.
#pragma once

#include <sluice/plugin.h>

#include <deque>
#include <sluice/describe.hpp>
#include <string>
#include <utility>
#include <vector>

namespace sluice {

// See sluice_listed_member. An empty remark is none.
struct ListedMember {
  std::string name = {};
  std::string title = {};
  std::string system = {};
  std::string remark = {};
};

// Where the members go.
class MemberListing {
 public:
  explicit MemberListing(const sluice_member_listing& listing) : listing_(listing) {}

  void member(const ListedMember& member) const {
    sluice_listed_member listed{};
    listed.struct_size = sizeof(listed);
    listed.name = member.name.c_str();
    listed.title = member.title.c_str();
    listed.system = member.system.c_str();
    listed.remark = member.remark.empty() ? nullptr : member.remark.c_str();
    listing_.member(listing_.context, &listed);
  }
  void remark(const std::string& sentence) const {
    listing_.remark(listing_.context, sentence.c_str());
  }

 private:
  const sluice_member_listing& listing_;
};

// A type made while the program runs; owns all that it points to. [control]
class MadeType {
 public:
  // `family`: execution, flags and functions are taken from it.
  MadeType(const sluice_type& family, const std::string& name) : type_(family) {
    type_.flags &= ~uint32_t{SLUICE_TYPE_FAMILY};
    type_.id = keep(std::string(family.id) + "/" + name);
  }
  MadeType(const MadeType&) = delete;
  MadeType& operator=(const MadeType&) = delete;

  void describe(const std::string& name, const std::string& description) {
    type_.name = keep(name);
    type_.description = keep(description);
  }
  // `port` is described as by input() and output(); its offers are replaced by `offers`.
  void add_port(sluice_port port, const std::vector<sluice_format_offer>& offers) {
    port.key = keep(port.key);
    port.description = keep(port.description);
    offers_.push_back(offers);
    ports_.push_back(port);
  }
  // `parameter` is described as by number(), text(), ...; its texts are copied. `choices` are those
  // of a choice.
  void add_parameter(sluice_parameter parameter, const std::vector<std::string>& choices = {}) {
    parameter.key = keep(parameter.key);
    parameter.unit = keep(parameter.unit);
    parameter.description = keep(parameter.description);
    parameter.default_text = keep(parameter.default_text);
    choices_.emplace_back();
    for (const std::string& choice : choices) choices_.back().push_back(keep(choice));
    parameters_.push_back(parameter);
  }
  void add_statistic(sluice_statistic statistic) {
    statistic.key = keep(statistic.key);
    statistic.unit = keep(statistic.unit);
    statistic.description = keep(statistic.description);
    statistics_.push_back(statistic);
  }

  // Valid as long as this, and until the next call of the above.
  const sluice_type& type() {
    for (size_t i = 0; i < ports_.size(); ++i) {
      ports_[i].offers = offers_[i].empty() ? nullptr : offers_[i].data();
      ports_[i].offer_count = static_cast<uint32_t>(offers_[i].size());
    }
    for (size_t i = 0; i < parameters_.size(); ++i) {
      parameters_[i].choices = choices_[i].empty() ? nullptr : choices_[i].data();
      parameters_[i].choice_count = static_cast<uint32_t>(choices_[i].size());
    }
    type_.ports = ports_.data();
    type_.port_count = static_cast<uint32_t>(ports_.size());
    type_.parameters = parameters_.data();
    type_.parameter_count = static_cast<uint32_t>(parameters_.size());
    type_.statistics = statistics_.data();
    type_.statistic_count = static_cast<uint32_t>(statistics_.size());
    return type_;
  }

 private:
  const char* keep(std::string text) { return texts_.emplace_back(std::move(text)).c_str(); }
  const char* keep(const char* text) { return text ? keep(std::string(text)) : nullptr; }

  sluice_type type_;
  std::deque<std::string> texts_;
  std::vector<sluice_port> ports_;
  std::vector<std::vector<sluice_format_offer>> offers_;
  std::vector<sluice_parameter> parameters_;
  std::vector<std::vector<const char*>> choices_;
  std::vector<sluice_statistic> statistics_;
};

}  // namespace sluice
