// Fills a JsonText. [control]
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/graph/json_text.hpp"
#include "host/graph/report.hpp"

namespace sluice::graph {

class JsonParser {
 public:
  JsonParser(JsonText& target, Report& report);

  // Whether the whole text was read; what was wrong on the way is in the report either way.
  bool parse();

 private:
  using Node = JsonText::Node;

  bool readable();
  void reserve();
  // Each reads from at_ on and returns false where reading cannot go on.
  bool blanks(std::uint32_t inside);
  bool value(std::uint32_t parent, std::uint32_t key_begin, std::uint32_t ordinal, int depth);
  bool object(std::uint32_t index, int depth);
  bool list(std::uint32_t index, int depth);
  bool member(std::uint32_t index, std::uint32_t ordinal, int depth);
  bool text(std::uint32_t index);
  bool escape(std::uint32_t index);
  bool number(std::uint32_t index);
  bool word(std::uint32_t index);
  // What follows a child: sets `more` if another one comes.
  bool separator(std::uint32_t index, char closing, bool& more);
  void refuse_second_keys(std::uint32_t index, std::size_t first_key);

  bool at_end() const { return at_ >= json_.size(); }
  char here() const { return json_[at_]; }
  std::string_view token_at(std::size_t begin) const;
  bool unclosed(std::uint32_t index);
  // Reports and returns false.
  bool fail(std::size_t offset, std::uint32_t index, std::string message);
  void complain(std::size_t offset, std::uint32_t index, std::string message);

  JsonText& target_;
  Report& report_;
  std::string_view json_;
  std::size_t at_ = 0;
  int missing_commas_ = 0;
  std::vector<std::uint32_t> keys_;  // where the keys of all open objects begin
};

}  // namespace sluice::graph
