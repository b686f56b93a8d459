#include "host/graph/expression_reader.hpp"

#include <algorithm>
#include <utility>

#include "host/graph/nearest_name.hpp"
#include "host/graph/shown.hpp"
#include "host/graph/typed_value.hpp"
#include "host/graph/utf8.hpp"

namespace sluice::graph {
namespace {

constexpr std::size_t kMaximumBytes = std::size_t{1} << 20;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

bool is_separator(char c) { return c == ';' || c == '\n'; }

// "source.wav" -> "wav", "filter.lv2/http://example.org/amp#mono" -> "mono"
std::string id_from(std::string_view type) {
  const bool is_member = type.find('/') != std::string_view::npos;
  const size_t before = type.find_last_of(is_member ? "/#:?" : ".");
  std::string id(type.substr(before == std::string_view::npos ? 0 : before + 1));
  for (char& c : id) {
    if (!is_id(std::string("a") + c)) c = '-';
  }
  return is_id(id) ? id : "n" + id;
}

}  // namespace

Location ExpressionReader::at(std::size_t offset, std::string pointer) const {
  return source_->locate(offset, std::move(pointer));
}

RawGraph ExpressionReader::read(const std::shared_ptr<const SourceText>& source) {
  source_ = source;
  text_ = source->text();
  RawGraph graph;
  graph.at = at(0);
  report_.announce(source->name());
  if (text_.size() > kMaximumBytes) {
    report_.error(at(0), "this is larger than 1 MiB, the most an expression may have");
    return graph;
  }
  if (const std::size_t invalid = find_invalid_utf8(text_); invalid != std::string_view::npos) {
    report_.error(at(invalid), "this byte is not UTF-8");
    return graph;
  }
  if (const std::size_t nul = text_.find('\0'); nul != std::string_view::npos) {
    report_.error(at(nul), "a NUL character must not stand in an expression");
    return graph;
  }
  if (const std::size_t first = text_.find_first_not_of(" \t\r\n");
      first != std::string_view::npos && text_[first] == '{') {
    report_.error(at(first),
                  "this is JSON, and -e takes a line like \"source.tone -> sink.null\"; "
                  "write it to a file and name that without -e");
    return graph;
  }
  std::vector<Chain> all = chains();
  if (report_.has_errors()) return graph;
  if (all.empty()) {
    report_.error(at(0), "there is nothing here; write a graph like \"source.tone -> sink.null\"");
    return graph;
  }
  name_new_nodes(all);
  for (Chain& chain : all) {
    RawEdge edge;
    edge.form = RawEdge::Form::kStops;
    edge.at = at(chain.front().head.offsets.front());
    const std::string pointer = pointer_to("/edges", std::to_string(graph.edges.size()));
    bool known = true;
    for (Stage& stage : chain) {
      known = find_old_node(stage) && known;
      if (stage.is_new) known = add_node(stage, graph) && known;
      RawValue& stop =
          edge.texts.emplace_back(stage.is_new ? RawValue{} : raw_text(stage.head, 0, pointer));
      stop.value = stage.port.empty() ? stage.id : stage.id + "." + stage.port;
      stop.at = at(stage.head.offsets.front(), pointer);
      stop.literal = true;
    }
    graph.lacks_edges = graph.lacks_edges || !known;
    if (known && edge.texts.size() > 1) graph.edges.push_back(std::move(edge));
  }
  return graph;
}

std::vector<ExpressionReader::Chain> ExpressionReader::chains() {
  std::vector<Chain> all;
  Chain chain;
  bool after_arrow = false;
  bool in_stage = false;
  const auto end_chain = [&] {
    if (after_arrow) report_.error(at(at_), "a node is missing after ->");
    if (!chain.empty()) all.push_back(std::move(chain));
    chain.clear();
    after_arrow = false;
    in_stage = false;
  };
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (is_blank(c)) {
      ++at_;
    } else if (is_separator(c) && !(c == '\n' && after_arrow)) {
      end_chain();
      ++at_;
    } else if (c == '\n') {
      ++at_;
    } else if (text_.substr(at_, 2) == "->") {
      if (!in_stage) report_.error(at(at_), "a node is missing before ->");
      at_ += 2;
      after_arrow = true;
      in_stage = false;
    } else {
      Word next;
      if (!word(next)) return {};
      if (in_stage) {
        chain.back().params.push_back(std::move(next));
      } else {
        chain.emplace_back().head = std::move(next);
      }
      in_stage = true;
      after_arrow = false;
    }
  }
  end_chain();
  return all;
}

bool ExpressionReader::word(Word& word) {
  std::size_t brackets = 0;
  const std::size_t begin = at_;
  const auto keep = [&] {
    word.text += text_[at_];
    word.offsets.push_back(static_cast<std::uint32_t>(at_++));
  };
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '\'' || c == '"') {
      if (!quote(word)) return false;
      continue;
    }
    const bool ends = is_blank(c) || is_separator(c) || text_.substr(at_, 2) == "->";
    if (ends && brackets == 0) break;
    if (c == '[') ++brackets;
    if (c == ']' && brackets > 0) --brackets;
    keep();
  }
  word.offsets.push_back(static_cast<std::uint32_t>(at_));
  if (brackets == 0) return true;
  report_.error(at(begin), "this list is not closed; end it with ]");
  return false;
}

bool ExpressionReader::quote(Word& word) {
  const std::size_t begin = at_;
  const char mark = text_[at_++];
  while (at_ < text_.size() && text_[at_] != mark) {
    std::size_t from = at_;
    if (mark == '"' && text_[at_] == '\\' && at_ + 1 < text_.size() &&
        (text_[at_ + 1] == '"' || text_[at_ + 1] == '\\')) {
      ++from;
    }
    word.text += text_[from];
    word.offsets.push_back(static_cast<std::uint32_t>(at_));
    at_ = from + 1;
  }
  if (at_ == text_.size()) {
    report_.error(at(begin), std::string("this quote is not closed; end it with ") + mark);
    return false;
  }
  ++at_;
  return true;
}

bool ExpressionReader::is_type(std::string_view word) const {
  if (catalog_.find(word) != nullptr) return true;
  // The file of a graph is no member of a family, whatever folder it lies in.
  return !word.ends_with(".json") && catalog_.unavailable_reason(word) != nullptr;
}

void ExpressionReader::name_new_nodes(std::vector<Chain>& chains) {
  const auto for_each_stage = [&](const auto& visit) {
    for (Chain& chain : chains) {
      for (Stage& stage : chain) visit(stage);
    }
  };
  for_each_stage([this](Stage& stage) {
    // One behind a slash belongs to the name of a type.
    const std::size_t colon = stage.head.text.find_first_of(":/");
    if (colon == std::string::npos || stage.head.text[colon] == '/') return;
    stage.is_new = true;
    stage.id = stage.head.text.substr(0, colon);
    stage.id_begin = colon + 1;
    if (stage.id_begin == stage.head.text.size()) {
      const std::string type = stage.params.empty() ? "TYPE" : stage.params.front().text;
      report_.error(at(stage.head.offsets.back()), "a type is missing right behind " +
                                                       shown(stage.head.text) + "; write " +
                                                       stage.head.text + type);
      stage.is_unreadable = true;
    } else if (colon == 0) {
      report_.error(at(stage.head.offsets.front()),
                    "a name is missing in front of the colon; write NAME" + stage.head.text +
                        ", or leave the colon out");
      stage.is_unreadable = true;
    } else if (!is_id(stage.id)) {
      report_.error(
          at(stage.head.offsets.front()),
          shown(stage.id) + " cannot be the name of a node; use a-z, then a-z, 0-9, _ and -");
      stage.is_unreadable = true;
    } else if (!ids_.emplace(stage.id, true).second) {
      report_.error(at(stage.head.offsets.front(), pointer_to("/nodes", stage.id)),
                    "there are two nodes called " + shown(stage.id) + "; rename one of them");
      stage.is_new = false;
    }
  });
  for_each_stage([this](Stage& stage) {
    if (!stage.id.empty() || !is_type(stage.head.text)) return;
    name_unnamed_node(stage);
  });
}

void ExpressionReader::name_unnamed_node(Stage& stage) {
  const std::string base = id_from(stage.head.text);
  stage.is_new = true;
  stage.id = base;
  for (int i = 2; !ids_.emplace(stage.id, false).second; ++i) stage.id = base + std::to_string(i);
}

bool ExpressionReader::find_old_node(Stage& stage) {
  if (stage.is_unreadable) return false;
  if (!stage.id.empty()) return true;
  const std::string& text = stage.head.text;
  const std::size_t dot = text.find('.');
  const std::string node = text.substr(0, dot);
  if (ids_.find(node) != ids_.end()) {
    stage.id = node;
    if (dot != std::string::npos) stage.port = text.substr(dot + 1);
    if (!stage.params.empty()) {
      report_.error(at(stage.params.front().offsets.front(), pointer_to("/nodes", node)),
                    "parameters stand where the type of " + node +
                        " does, not where it is used "
                        "again");
    }
    return true;
  }
  if (text.ends_with(".json")) {
    report_.error(at(stage.head.offsets.front()),
                  shown(text) + " looks like a graph file; name it without -e");
    return false;
  }
  // A type that does not exist: the resolver says so, with the nearest one.
  if (dot != std::string::npos && text.find('=') == std::string::npos) {
    name_unnamed_node(stage);
    return true;
  }
  std::vector<std::string_view> names;
  for (const auto& [id, chosen] : ids_) names.push_back(id);
  std::string help = did_you_mean(text, names);
  if (help.empty()) {
    const std::string type = catalog_.nearest_type(text);
    help = type.empty() ? "; \"sluice plugins\" lists the types"
                        : "; did you mean " + shown(type) + "?";
  }
  report_.error(at(stage.head.offsets.front()),
                shown(text) + " is neither a type nor a node of this expression" + help);
  return false;
}

RawValue ExpressionReader::raw_text(const Word& word, std::size_t begin,
                                    std::string pointer) const {
  RawValue raw;
  raw.value = word.text.substr(begin);
  raw.source = source_;
  raw.offsets.assign(word.offsets.begin() + static_cast<std::ptrdiff_t>(begin), word.offsets.end());
  raw.at = at(raw.offsets.front(), std::move(pointer));
  raw.loose = true;
  return raw;
}

bool ExpressionReader::add_node(const Stage& stage, RawGraph& graph) {
  if (stage.is_unreadable) return false;
  RawNode node;
  node.id = stage.id;
  node.at = at(stage.head.offsets.front(), pointer_to("/nodes", stage.id));
  node.type = raw_text(stage.head, stage.id_begin, node.at.pointer + "/type");
  node.type->literal = true;
  const NodeType* type = catalog_.find(node.type->value.text());
  const bool is_whole = add_params(stage, type, node);
  graph.nodes.push_back(std::move(node));
  return is_whole;
}

bool ExpressionReader::add_params(const Stage& stage, const NodeType* type, RawNode& node) {
  for (std::size_t i = 0; i < stage.params.size(); ++i) {
    const std::size_t equals = stage.params[i].text.find('=');
    // What follows a word that is out of place is seldom in place.
    if (equals == std::string::npos || equals == 0 || stage.params[i].text == "=>") {
      complain_of(stage, i, node);
      return false;
    }
    add_param(stage.params[i], type, node);
  }
  return true;
}

// Of a word that is no parameter.
void ExpressionReader::complain_of(const Stage& stage, std::size_t word, const RawNode& node) {
  static constexpr std::string_view kArrows[] = {"-", "--", "=>", ">", "|", "→", "⇒", "-->"};
  const std::string& text = stage.params[word].text;
  const std::string* const next =
      word + 1 < stage.params.size() ? &stage.params[word + 1].text : nullptr;
  std::string help = "; write KEY=VALUE, or -> before a node";
  std::string what = " is no parameter";
  if (std::find(std::begin(kArrows), std::end(kArrows), text) != std::end(kArrows)) {
    what = " joins nothing";
    help = "; write -> between two nodes";
  } else if (next != nullptr && next->starts_with('=')) {
    help = "; write " + text + "=VALUE without blanks around the equals sign";
  } else if (is_type(text)) {
    what = " is a type of node and stands behind " + node.id + " without an arrow";
    help = "; write -> " + text;
  }
  report_.error(at(stage.params[word].offsets.front(), node.at.pointer), shown(text) + what + help);
}

void ExpressionReader::add_param(const Word& word, const NodeType* type, RawNode& node) {
  const std::size_t equals = word.text.find('=');
  const std::string key = word.text.substr(0, equals);
  const bool of_host = find_parameter(node_parameters(), key) != nullptr &&
                       (type == nullptr || type->find_parameter(key) == nullptr);
  std::vector<RawMember>& to = of_host ? node.host : node.params;
  const std::string pointer = pointer_to(node.at.pointer + (of_host ? "" : "/params"), key);
  const Location key_at = at(word.offsets.front(), pointer);
  const bool twice =
      std::any_of(to.begin(), to.end(), [&](const RawMember& member) { return member.key == key; });
  if (twice) {
    report_.error(key_at, shown(key) + " is there twice; remove one of them");
    return;
  }
  to.push_back({key, key_at, raw_text(word, equals + 1, pointer)});
}

}  // namespace sluice::graph
