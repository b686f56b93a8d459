#include "host/graph/expander.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "host/graph/file_text.hpp"
#include "host/graph/nearest_name.hpp"
#include "host/graph/shown.hpp"
#include "host/graph/utf8.hpp"

namespace sluice::graph {
namespace {

constexpr std::size_t kMaximumSecretBytes = std::size_t{64} << 10;
constexpr std::size_t kMaximumTextBytes = std::size_t{1} << 20;
constexpr std::size_t kMaximumVariableDepth = 64;
// Of all variables wherever they are used, so that ten lines that double each other stay harmless.
constexpr std::size_t kMaximumSplicedBytes = std::size_t{16} << 20;

std::size_t weight(const Value& value) {
  std::size_t bytes = sizeof(Value);
  if (value.is_text()) bytes += value.text().size();
  if (value.is_array()) {
    for (const Value& element : value.elements()) bytes += weight(element);
  } else if (value.is_object()) {
    for (const Member& member : value.members()) bytes += member.key.size() + weight(member.value);
  }
  return bytes;
}

bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '-';
  });
}

// The next "${" at or after `at` that is not written "$${". `literal` tells of the latter.
std::size_t find_dollar(std::string_view text, std::size_t at, bool& literal) {
  const std::size_t found = text.find("${", at);
  literal = found != std::string_view::npos && found > at && text[found - 1] == '$';
  return found;
}

}  // namespace

std::size_t Expanded::raw_index(std::size_t index) const {
  const Piece* piece = nullptr;
  for (const Piece& p : pieces) {
    if (p.at > index) break;
    piece = &p;
  }
  if (piece == nullptr) return index;
  return piece->spliced ? piece->raw : piece->raw + (index - piece->at);
}

void for_each_reference(std::string_view text,
                        const std::function<void(std::string_view, std::size_t)>& visit) {
  std::size_t at = 0;
  while (true) {
    bool literal = false;
    const std::size_t dollar = find_dollar(text, at, literal);
    if (dollar == std::string_view::npos) return;
    at = dollar + 2;
    if (literal) continue;
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) return;
    visit(text.substr(at, end - at), dollar);
    at = end + 1;
  }
}

std::string escaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) == "${") out += '$';
    out += text[i];
  }
  return out;
}

Expander::Expander(Environment environment, Report& report)
    : environment_(std::move(environment)), report_(report) {
  if (!environment_) {
    environment_ = [](const std::string& name) -> std::optional<std::string> {
      const char* value = std::getenv(name.c_str());
      if (value == nullptr) return {};
      return value;
    };
  }
}

void Expander::define(const std::string& name, const RawValue& value, const Location& at) {
  if (!is_variable_name(name)) {
    report_.error(at,
                  shown(name) + " cannot be the name of a variable; use letters, digits, _ and -");
    return;
  }
  if (name == "route") {
    report_.error(at,
                  "\"route\" cannot be the name of a variable; ${route} is the name of the "
                  "route in the edges and settings of a route");
    return;
  }
  if (!value.literal) note_uses(value.value);
  const auto [place, fresh] = variables_.try_emplace(name);
  if (fresh) {
    names_.push_back(name);
    place->second.at = at;
  }
  place->second.value = value;
}

bool Expander::is_defined(std::string_view name) const {
  return variables_.find(name) != variables_.end();
}

void Expander::note_uses(const Value& value) {
  if (value.is_text()) {
    for_each_reference(value.text(),
                       [this](std::string_view name, std::size_t) { uses_.emplace(name); });
  } else if (value.is_array()) {
    for (const Value& element : value.elements()) note_uses(element);
  } else if (value.is_object()) {
    for (const Member& member : value.members()) note_uses(member.value);
  }
}

bool Expander::is_used(std::string_view name) const { return uses_.find(name) != uses_.end(); }

void Expander::warn_unused() const {
  for (const std::string& name : names_) {
    if (is_used(name)) continue;
    report_.warning(variables_.find(name)->second.at, "the variable " + shown(name) +
                                                          " is not used; write ${" + name +
                                                          "} where it belongs, or remove it");
  }
}

std::optional<Expanded> Expander::expand(const RawValue& raw) {
  if (!raw.literal && raw.value.is_text()) return expand_text(raw);
  if (!raw.literal && raw.value.is_array()) return expand_list(raw);
  Expanded plain;
  plain.value = raw.value;
  plain.loose = raw.loose;
  if (raw.source) plain.folder = raw.source->folder();
  return plain;
}

std::optional<Expanded> Expander::expand_list(const RawValue& raw) {
  Expanded all;
  all.folder = raw.source->folder();
  all.value = Value::array();
  bool good = true;
  const std::vector<Json> places = raw.json ? raw.json->children() : std::vector<Json>();
  for (std::size_t i = 0; i < raw.value.elements().size(); ++i) {
    RawValue element;
    if (i < places.size()) {
      element = raw_value(places[i], raw.source);
    } else {
      element.value = raw.value.elements()[i];
      element.at = raw.at;
      element.source = raw.source;
    }
    std::optional<Expanded> expanded = expand(element);
    good = good && expanded;
    if (!expanded) continue;
    all.value.push_back(std::move(expanded->value));
  }
  if (!good) return {};
  return all;
}

std::optional<Expanded> Expander::expand_text(const RawValue& raw) {
  const std::string& text = raw.value.text();
  Expanded result;
  if (raw.source) result.folder = raw.source->folder();
  result.loose = raw.loose;
  std::string out;
  bool good = true;
  std::size_t at = 0;
  const auto keep = [&](std::size_t end) {
    if (end > at) result.pieces.push_back({out.size(), at, false});
    out += text.substr(at, end - at);
    at = end;
  };
  while (at < text.size()) {
    bool literal = false;
    const std::size_t dollar = find_dollar(text, at, literal);
    if (dollar == std::string::npos) break;
    if (literal) {
      keep(dollar - 1);
      at = dollar;
      keep(dollar + 2);
      continue;
    }
    keep(dollar);
    const std::size_t end = text.find('}', dollar);
    if (end == std::string::npos) {
      report_.error(raw.at_index(dollar),
                    "this ${ is not closed; end it with }, or write $${ for the two characters");
      return {};
    }
    const std::string_view name = std::string_view(text).substr(dollar + 2, end - dollar - 2);
    std::optional<Expanded> piece = reference(raw, name, dollar);
    at = end + 1;
    if (!piece) {
      good = false;
      continue;
    }
    if (dollar == 0 && at == text.size()) {
      piece->pieces.assign(1, {0, 0, true});
      return piece;
    }
    const Value& value = piece->value;
    if (value.is_array() || value.is_object() || value.is_null()) {
      report_.error(raw.at_index(dollar), "${" + std::string(name) + "} is " +
                                              std::string(value.kind_name()) +
                                              " and cannot stand inside text");
      good = false;
      continue;
    }
    if (dollar == 0) result.folder = piece->folder;
    // Nobody could write it with a kind of its own.
    result.loose = true;
    result.pieces.push_back({out.size(), dollar, true});
    out += value.is_text() ? value.text() : to_json(value);
    if (out.size() > kMaximumTextBytes) {
      report_.error(raw.at_index(dollar), "with its variables put in, this text is over 1 MiB");
      return {};
    }
  }
  if (!good) return {};
  keep(text.size());
  result.value = std::move(out);
  return result;
}

std::optional<Expanded> Expander::reference(const RawValue& raw, std::string_view name,
                                            std::size_t index) {
  constexpr std::string_view kEnvironment = "env:";
  constexpr std::string_view kFile = "file:";
  std::optional<Expanded> found;
  if (name.starts_with(kEnvironment)) {
    found = from_environment(raw, std::string(name.substr(kEnvironment.size())), index);
  } else if (name.starts_with(kFile)) {
    found = from_file(raw, std::string(name.substr(kFile.size())), index);
  } else if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    report_.error(raw.at_index(index), shown(name.substr(0, colon + 1)) +
                                           " is no source of values; there are ${env:NAME} and "
                                           "${file:PATH}");
    return {};
  } else {
    return variable(raw, std::string(name), index);
  }
  if (found) found->outside_source = "${" + std::string(name) + "}";
  return found;
}

std::optional<Expanded> Expander::variable(const RawValue& raw, const std::string& name,
                                           std::size_t index) {
  if (name == "route") {
    if (!route_) {
      report_.error(raw.at_index(index),
                    "${route} has a meaning only in the edges and settings of a route");
      return {};
    }
    Expanded route;
    route.value = *route_;
    route.loose = true;
    if (raw.source) route.folder = raw.source->folder();
    return route;
  }
  const auto found = variables_.find(name);
  if (found == variables_.end()) {
    std::string help;
    if (report_.wants_suggestions()) help = did_you_mean(name, {names_.begin(), names_.end()});
    if (help.empty()) help = "; define it in \"vars\" or with --var";
    report_.error(raw.at_index(index), "there is no variable " + shown(name) + help);
    return {};
  }
  Variable& variable = found->second;
  if (variable.expanding) {
    std::string circle;
    auto step = std::find(expanding_.begin(), expanding_.end(), name);
    for (; step != expanding_.end(); ++step) circle += *step + " -> ";
    report_.error(raw.at_index(index),
                  "the variable " + shown(name) + " is made of itself: " + circle + name);
    return {};
  }
  if (expanding_.size() >= kMaximumVariableDepth) {
    report_.error(raw.at_index(index), "variables are made of variables more than 64 deep here");
    return {};
  }
  if (!variable.expanded) {
    variable.expanding = true;
    expanding_.push_back(name);
    variable.expanded = expand(variable.value);
    expanding_.pop_back();
    variable.expanding = false;
  }
  if (*variable.expanded) spliced_bytes_ += weight((*variable.expanded)->value);
  if (spliced_bytes_ > kMaximumSplicedBytes) {
    report_.error(raw.at_index(index), "its variables make the graph larger than 16 MiB");
    return {};
  }
  return *variable.expanded;
}

std::optional<Expanded> Expander::from_environment(const RawValue& raw, const std::string& name,
                                                   std::size_t index) {
  std::optional<std::string> value;
  if (!name.empty()) value = environment_(name);
  if (!value) {
    report_.error(raw.at_index(index), "the environment variable " + shown(name) + " is not set");
    return {};
  }
  if (find_invalid_utf8(*value) != std::string::npos || value->find('\0') != std::string::npos) {
    report_.error(raw.at_index(index),
                  "the environment variable " + shown(name) + " holds bytes that are not text");
    return {};
  }
  Expanded found;
  found.value = std::move(*value);
  found.loose = true;
  if (raw.source) found.folder = raw.source->folder();
  return found;
}

std::optional<Expanded> Expander::from_file(const RawValue& raw, const std::string& path,
                                            std::size_t index) {
  Expanded found;
  if (raw.source) found.folder = raw.source->folder();
  auto text = read_file(found.folder / path, path, kMaximumSecretBytes);
  if (!text) {
    report_.error(raw.at_index(index), text.error().message);
    return {};
  }
  if (text->ends_with('\n')) text->pop_back();
  if (text->ends_with('\r')) text->pop_back();
  if (find_invalid_utf8(*text) != std::string::npos || text->find('\0') != std::string::npos) {
    report_.error(raw.at_index(index), shown(path) + " holds bytes that are not text");
    return {};
  }
  found.value = std::move(*text);
  found.loose = true;
  return found;
}

}  // namespace sluice::graph
