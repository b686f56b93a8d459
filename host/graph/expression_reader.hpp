// One-line graphs as a RawGraph; see expression.hpp for the language. [control]
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "host/graph/catalog.hpp"
#include "host/graph/raw_graph.hpp"
#include "host/graph/report.hpp"

namespace sluice::graph {

class ExpressionReader {
 public:
  ExpressionReader(const Catalog& catalog, Report& report) : catalog_(catalog), report_(report) {}

  RawGraph read(const std::shared_ptr<const SourceText>& source);

 private:
  // What stands between blanks, without its quotes.
  struct Word {
    std::string text;
    std::vector<std::uint32_t> offsets;  // of each byte, and one past the last
  };
  struct Stage {
    Word head;
    std::vector<Word> params;
    std::string id;    // of the node, once it is known
    std::string port;  // empty: the default
    std::size_t id_begin = 0;
    bool is_new = false;
    bool is_unreadable = false;  // which has been said
  };
  using Chain = std::vector<Stage>;

  std::vector<Chain> chains();
  bool word(Word& word);
  bool quote(Word& word);
  bool is_type(std::string_view word) const;
  void name_new_nodes(std::vector<Chain>& chains);
  void name_unnamed_node(Stage& stage);
  // False if the stage is neither a type nor a node.
  bool find_old_node(Stage& stage);
  // Both: false if not everything of it could be read.
  bool add_node(const Stage& stage, RawGraph& graph);
  bool add_params(const Stage& stage, const NodeType* type, RawNode& node);
  void add_param(const Word& word, const NodeType* type, RawNode& node);
  void complain_of(const Stage& stage, std::size_t word, const RawNode& node);
  RawValue raw_text(const Word& word, std::size_t begin, std::string pointer) const;
  Location at(std::size_t offset, std::string pointer = {}) const;

  const Catalog& catalog_;
  Report& report_;
  std::shared_ptr<const SourceText> source_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::map<std::string, bool, std::less<>> ids_;  // of nodes; whether somebody chose it
};

}  // namespace sluice::graph
