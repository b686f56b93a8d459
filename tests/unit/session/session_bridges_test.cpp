// Where the session puts bridges: the clocks of a graph, as `build` sees them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "host/graph/load.hpp"
#include "host/session/builder.hpp"
#include "host/session/plugin_catalog.hpp"
#include "tests/support/folders.hpp"

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Bridges : public ::testing::Test {
 protected:
  // "writer -> bridge -> reader" for each bridge that the graph gets.
  std::vector<std::string> bridges_of(const std::string& expression, bool is_offline = false) {
    loader::RegistryOptions where;
    where.plugin_dirs = {tests::plugin_folder()};
    where.has_default_dirs = where.has_cache = false;
    loader::Registry registry(where);
    const graph::Catalog catalog = session::full_catalog(registry);
    auto loaded = graph::load_expression(expression, catalog);
    EXPECT_TRUE(loaded.document) << expression;
    if (!loaded.document) return {};
    engine::EngineOptions options;
    options.is_offline = is_offline;
    const session::BuildResult built = session::build(*loaded.document, registry, options);
    EXPECT_TRUE(built.engine) << expression;
    std::vector<std::string> found;
    if (!built.engine) return found;
    notes = built.notes;
    for (const auto& edge : built.engine->edges()) {
      const engine::Node& bridge = edge->to.node;
      if (std::string(bridge.type().id) != "filter.bridge") continue;
      for (const auto& next : built.engine->edges()) {
        if (&next->from.node != &bridge) continue;
        found.push_back(edge->from.node.id() + " -> " + next->to.node.id());
        EXPECT_EQ(next->options.when_full, engine::WhenFull::kSkip);
      }
    }
    return found;
  }
  std::vector<std::string> notes;
};

TEST_F(Bridges, One_stands_where_a_sender_meets_a_paced_sink) {
  EXPECT_THAT(bridges_of("source.tcp port=0 -> filter.gain -> sink.null pace=real-time"),
              ElementsAre("gain -> null"));
  EXPECT_THAT(notes, Contains(HasSubstr("Put a filter.bridge between gain (remote:tcp) and null "
                                        "(monotonic)")));
}

TEST_F(Bridges, None_stands_within_one_clock_or_without_any) {
  EXPECT_THAT(bridges_of("source.tone live=true -> sink.null pace=real-time"), IsEmpty());
  EXPECT_THAT(bridges_of("source.tone -> a:sink.null pace=real-time; tone -> b:sink.null"),
              IsEmpty());
  EXPECT_THAT(bridges_of("source.tcp port=0 -> sink.null"), IsEmpty());
}

TEST_F(Bridges, None_stands_where_nothing_keeps_time) {
  EXPECT_THAT(bridges_of("source.tcp port=0 -> sink.null pace=real-time", true), IsEmpty());
}

TEST_F(Bridges, Inputs_of_a_mix_are_brought_to_the_clock_it_feeds) {
  EXPECT_THAT(bridges_of("a:source.tcp port=0 -> mix:filter.gain -> sink.null pace=real-time; "
                         "b:source.tcp port=0 -> mix; source.tone live=true -> mix"),
              ElementsAre("mix.in.adapter1 -> mix", "mix.in.adapter2 -> mix"));
}

TEST_F(Bridges, Each_reader_of_another_clock_gets_one) {
  EXPECT_THAT(bridges_of("source.tcp port=0 -> hub:filter.gain -> a:sink.null pace=real-time; "
                         "hub -> b:sink.null pace=real-time; hub -> c:sink.null"),
              ElementsAre("hub -> a", "hub -> b"));
}

TEST_F(Bridges, One_that_the_graph_names_is_enough) {
  EXPECT_THAT(bridges_of("source.tcp port=0 -> filter.bridge target_ms=40 -> sink.null "
                         "pace=real-time"),
              ElementsAre("tcp -> null"));
}

}  // namespace
}  // namespace sluice
