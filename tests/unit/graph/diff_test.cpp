// What it takes to get from one document to another.
#include "host/graph/diff.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/graph/loading.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

graph::Document base(const std::vector<std::string>& settings = {},
                     const std::string& more_nodes = "", const std::string& more_edges = "") {
  graph::LoadOptions options = text_options();
  options.settings = settings;
  const graph::LoadResult result = load(
      graph_with("\"g\": {\"type\": \"filter.gain\"}, \"s\": {\"type\": \"sink.tcp\", \"params\": "
                 "{\"host\": \"a\", \"port\": 1}}," +
                     more_nodes,
                 "\"edges\": [\"tone -> g -> null\", \"g -> s\"" + more_edges + "]"),
      options);
  EXPECT_THAT(lines(result.diagnostics), IsEmpty());
  return result.document.value_or(graph::Document());
}

std::vector<std::string> steps(const graph::Document& before, const graph::Document& after,
                               graph::Reach reach) {
  const graph::Change change = graph::diff(before, after, graph_catalog());
  EXPECT_EQ(static_cast<int>(change.reach), static_cast<int>(reach));
  std::vector<std::string> texts;
  for (const graph::Operation& operation : change.operations) {
    texts.push_back(to_text(operation, graph_catalog(), after));
  }
  return texts;
}

TEST(Diff, same_documents_need_nothing) {
  EXPECT_THAT(steps(base(), base(), graph::Reach::kNone), IsEmpty());
}

TEST(Diff, live_parameters_and_gains_are_set) {
  EXPECT_THAT(steps(base(), base({"g.gain_db=-6", "tone->g:gain_db=-3"}), graph::Reach::kLive),
              ElementsAre("set g.gain_db to -6", "set tone.out->g.in:gain_db to -3"));
}

TEST(Diff, other_parameters_replace_the_node) {
  EXPECT_THAT(steps(base(), base({"g.limiter=on", "g.gain_db=-6"}), graph::Reach::kNodes),
              ElementsAre("replace g (limiter)"));
  EXPECT_THAT(steps(base(), base({"s.password=pw"}), graph::Reach::kNodes),
              ElementsAre("replace s (password)"));
}

TEST(Diff, edges_come_go_and_are_rebuilt) {
  EXPECT_THAT(steps(base(), base({"g->s:buffer_ms=100"}), graph::Reach::kEdges),
              ElementsAre("rebuild the edge g.out->s.in"));
  EXPECT_THAT(steps(base(), base({}, "", ", \"tone -> s\""), graph::Reach::kEdges),
              ElementsAre("connect tone.out->s.in"));
  EXPECT_THAT(steps(base({}, "", ", \"tone -> s\""), base(), graph::Reach::kEdges),
              ElementsAre("disconnect tone.out->s.in"));
}

TEST(Diff, nodes_come_first_and_go_last) {
  const graph::Document more = base({}, "\"n2\": \"sink.null\",", ", \"g -> n2\"");
  EXPECT_THAT(steps(base(), more, graph::Reach::kNodes),
              ElementsAre("add n2", "connect g.out->n2.in"));
  EXPECT_THAT(steps(more, base(), graph::Reach::kNodes),
              ElementsAre("disconnect g.out->n2.in", "remove n2"));
}

}  // namespace
}  // namespace sluice::test
