// What `sluice top` shows, as lines of text: made of what the host says, knows no terminal. [any]
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "host/graph/value.hpp"

namespace sluice::cli {

struct TopView {
  std::size_t columns = 80;
  std::size_t rows = 24;
  bool is_unicode = true;
  bool is_coloured = false;
  bool is_interactive = true;  // fills the screen, and names the keys at its foot
  std::size_t scrolled = 0;    // lines of each table that have gone at its top
};

class TopScreen {
 public:
  // `status` as the method of that name answers; the statistics in it may be replaced by newer
  // ones.
  void take_status(graph::Value status);
  // As an event of the topic: what is counted is shown as it grew since the ones before.
  void take_statistics(graph::Value statistics);

  // At most `rows` lines, none wider than `columns`. Escape sequences only for colour.
  std::vector<std::string> draw(const TopView& view) const;
  // How far one can scroll.
  std::size_t most_scrolled(const TopView& view) const;

 private:
  std::vector<std::string> node_rows(const TopView& view) const;
  std::vector<std::string> edge_rows(const TopView& view) const;
  struct Heights;
  Heights heights(const TopView& view) const;
  // Growth of a counter of a node or edge since the statistics before, per second.
  double per_second(const char* table, const std::string& name, const char* key) const;
  double passed_s() const;

  graph::Value status_;
  graph::Value now_;
  graph::Value before_;
};

}  // namespace sluice::cli
