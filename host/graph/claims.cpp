#include "host/graph/claims.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "host/graph/nearest_name.hpp"
#include "host/graph/shown.hpp"

namespace sluice::graph {
namespace {

namespace fs = std::filesystem;

// A file by its inode if it exists, else by its path. Empty for devices such as /dev/null.
std::string file_identity(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISCHR(status.st_mode)) return {};
    return "#" + std::to_string(status.st_dev) + "/" + std::to_string(status.st_ino);
  }
  std::error_code ignored;
  return fs::weakly_canonical(path, ignored).string();
}

void check_files(const Document& document, const NodeIndex& nodes, Report& report) {
  struct Use {
    const Node* node;
    bool writes;
  };
  std::unordered_map<std::string, std::vector<Use>> uses;
  for (const Node& node : document.nodes) {
    const NodeType* type = nodes.type(node.id);
    if (type == nullptr) continue;
    for (const NodeParameter& value : node.parameters) {
      const Parameter* parameter = type->find_parameter(value.key);
      const auto* path = std::get_if<std::string>(&value.value);
      if (parameter == nullptr || parameter->path == PathUse::kNone || !path || path->empty()) {
        continue;
      }
      const std::string identity = file_identity(*path);
      if (identity.empty()) continue;
      const bool writes = parameter->path == PathUse::kOutput;
      std::vector<Use>& others = uses[identity];
      const auto clash = std::find_if(others.begin(), others.end(), [&](const Use& use) {
        return use.node != &node && (use.writes || writes);
      });
      if (clash != others.end()) {
        const std::string file = shown(*path);
        report.error(value.at, clash->writes && writes
                                   ? "both " + clash->node->id + " and " + node.id + " write " +
                                         file + "; give one of them another file"
                                   : (writes ? node.id : clash->node->id) + " writes " + file +
                                         ", which " + (writes ? clash->node->id : node.id) +
                                         " reads; give one of them another file");
      }
      // One writer and one reader are enough to find all that clash with them.
      const bool known = std::any_of(others.begin(), others.end(), [&](const Use& use) {
        return use.writes == writes && use.node == &node;
      });
      if (!known && others.size() < 2) others.push_back({&node, writes});
    }
  }
}

// One claim with its values.
struct Taken {
  const Node* node;
  const Claim* claim;
  std::vector<std::string> values;
};

bool is_among(const std::vector<std::string>& values, const std::string& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// From the last part on, which is the telling one; who has fewer parts takes it wherever it is.
bool overlap(const Taken& a, const Taken& b) {
  const std::size_t parts = std::min(a.values.size(), b.values.size());
  for (std::size_t i = 1; i <= parts; ++i) {
    const std::string& value_a = a.values[a.values.size() - i];
    const std::string& value_b = b.values[b.values.size() - i];
    if (value_a != value_b && !is_among(a.claim->parts[a.values.size() - i].any, value_a) &&
        !is_among(b.claim->parts[b.values.size() - i].any, value_b)) {
      return false;
    }
  }
  return true;
}

// Nothing of it if the claim does not hold.
bool read_claim(const Node& node, const Claim& claim, Taken& taken) {
  if (!claim.when_parameter.empty()) {
    const NodeParameter* when = node.find_parameter(claim.when_parameter);
    if (when == nullptr || to_text(when->value) != claim.when_value) return false;
  }
  taken = {&node, &claim, {}};
  for (const Claim::Part& part : claim.parts) {
    const NodeParameter* value = node.find_parameter(part.parameter);
    if (value == nullptr || is_among(part.none, to_text(value->value))) return false;
    taken.values.push_back(to_text(value->value));
  }
  return !taken.values.empty();
}

}  // namespace

void check_claims(const Document& document, const NodeIndex& nodes, Report& report) {
  check_files(document, nodes, report);
  // By class and the last part, which is the telling one (a port's number, a device's id), so that
  // a thousand listeners are compared only with those on their own port.
  std::unordered_map<std::string, std::vector<Taken>> all;
  std::set<std::string_view> wild_classes;
  for (const Node& node : document.nodes) {
    const NodeType* type = nodes.type(node.id);
    if (type == nullptr) continue;
    for (const Claim& claim : type->claims) {
      if (!claim.parts.empty() && !claim.parts.back().any.empty()) wild_classes.insert(claim.name);
    }
  }
  for (const Node& node : document.nodes) {
    const NodeType* type = nodes.type(node.id);
    if (type == nullptr) continue;
    for (const Claim& claim : type->claims) {
      Taken taken;
      if (!read_claim(node, claim, taken)) continue;
      const bool wild = wild_classes.contains(claim.name);
      std::vector<Taken>& others =
          all[claim.name + "\n" + (wild ? std::string() : taken.values.back())];
      const auto clash = std::find_if(others.begin(), others.end(), [&](const Taken& other) {
        return other.node != &node && overlap(other, taken);
      });
      if (clash == others.end()) {
        others.push_back(std::move(taken));
        continue;
      }
      const NodeParameter* last = node.find_parameter(claim.parts.back().parameter);
      std::string what;
      for (std::size_t i = 0; i < taken.values.size(); ++i) {
        if (taken.values[i].empty()) continue;
        what +=
            (what.empty() ? "" : ", ") + claim.parts[i].parameter + " " + shown(taken.values[i]);
      }
      report.error(last->at, "both " + clash->node->id + " and " + node.id + " take the same " +
                                 claim.name + " (" + what + "); change one of them");
    }
  }
}

}  // namespace sluice::graph
