#include "host/graph/json_comments.hpp"

#include <algorithm>

namespace sluice::graph {
namespace {

// The end of the comment that begins at `at`, without blanks before the end of its line.
std::size_t comment_end(std::string_view json, std::size_t at) {
  if (json[at + 1] == '*') return json.find("*/", at + 2) + 2;
  std::size_t end = std::min(json.find('\n', at), json.size());
  while (json[end - 1] == ' ' || json[end - 1] == '\t' || json[end - 1] == '\r') --end;
  return end;
}

}  // namespace

std::vector<JsonComment> comments_between(std::string_view json, std::size_t begin, std::size_t end,
                                          std::size_t& line_ends_after) {
  std::vector<JsonComment> comments;
  line_ends_after = 0;
  for (std::size_t at = begin; at < end;) {
    if (json[at] == '/') {
      comments.push_back({at, comment_end(json, at), line_ends_after});
      line_ends_after = 0;
      at = comments.back().end;
      continue;
    }
    if (json[at] == '\n') ++line_ends_after;
    ++at;
  }
  return comments;
}

std::vector<std::size_t> comment_begins(std::string_view json) {
  std::vector<std::size_t> begins;
  for (std::size_t at = 0; at < json.size();) {
    if (json[at] == '/') {
      begins.push_back(at);
      at = comment_end(json, at);
    } else if (json[at] == '"') {
      for (++at; json[at] != '"'; ++at) {
        if (json[at] == '\\') ++at;
      }
      ++at;
    } else {
      ++at;
    }
  }
  return begins;
}

}  // namespace sluice::graph
