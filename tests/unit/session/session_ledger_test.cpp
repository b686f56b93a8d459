// Clocks and latency of a running graph: a sender's clock 100 ppm fast, a bridge, a paced sink.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>

#include "host/engine/net/memory_network.hpp"
#include "host/graph/load.hpp"
#include "host/session/ledger.hpp"
#include "host/session/plugin_catalog.hpp"
#include "tests/support/folders.hpp"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Ledger : public ::testing::Test {
 protected:
  Ledger() {
    loader::RegistryOptions where;
    where.plugin_dirs = {tests::plugin_folder()};
    where.has_default_dirs = where.has_cache = false;
    registry = std::make_unique<loader::Registry>(where);
  }
  ~Ledger() override {
    if (built.engine) built.engine->stop();
  }
  engine::Snapshot run(const std::string& expression, int64_t ns) {
    const graph::Catalog catalog = session::full_catalog(*registry);
    const auto loaded = graph::load_expression(expression, catalog);
    EXPECT_TRUE(loaded.document);
    engine::EngineOptions options;
    options.time = engine::TimeMode::kVirtual;
    options.network = &network;
    built = session::build(*loaded.document, *registry, options);
    EXPECT_TRUE(built.engine && built.engine->prepare() && built.engine->start());
    built.engine->run(ns);
    return built.engine->snapshot();
  }

  std::unique_ptr<loader::Registry> registry;
  engine::MemoryNetwork network{[this] { return built.engine->clock().now_ns(); }};
  session::BuildResult built;
};

TEST_F(Ledger, Parts_of_the_way_add_up) {
  const auto snapshot =
      run("source.tone live=true -> filter.gate closed=zeros lookback_ms=80 -> sink.null "
          "pace=real-time",
          2'000'000'000);
  const auto ledgers = session::latency_ledgers(snapshot);
  ASSERT_EQ(ledgers.size(), 1U);
  EXPECT_EQ(ledgers[0].source, "tone");
  EXPECT_EQ(ledgers[0].sink, "null");
  // The gate looks back, and the sink wants 20 ms in hand.
  EXPECT_NEAR(ledgers[0].declared_ms, 100.0, 0.1);
  double declared_ms = 0.0;
  for (const auto& part : ledgers[0].parts) declared_ms += part.declared_ms;
  EXPECT_NEAR(declared_ms, ledgers[0].declared_ms, 1e-9);
  EXPECT_GE(ledgers[0].measured_ms, 80.0);
  EXPECT_LT(ledgers[0].measured_ms, 250.0);
  EXPECT_THAT(session::over_budget(ledgers, 50.0),
              HasSubstr("more than the 50 ms of latency_budget_ms; most of it, 80 ms, is gate."));
  EXPECT_THAT(session::over_budget(ledgers, 1000.0), IsEmpty());
}

TEST_F(Ledger, Every_clock_is_named_with_who_corrects_it) {
  const auto snapshot = run("source.tcp port=0 -> sink.null pace=real-time", 100'000'000);
  const auto rows = session::clock_rows(built.nodes, snapshot);
  ASSERT_EQ(rows.size(), 2U);
  for (const auto& row : rows) EXPECT_THAT(row.corrected_by, ElementsAre("null.in.bridge1"));
  for (const auto& row : rows) {
    EXPECT_EQ(row.ppm.value_or(1.0), row.name == "monotonic" ? 0.0 : row.ppm.value_or(1.0));
  }
  graph::Value all = graph::Value::object();
  session::add_ledgers(all, rows, session::latency_ledgers(snapshot), 40.0);
  ASSERT_TRUE(all.find("clocks"));
  EXPECT_TRUE(all.find("clocks")->find("monotonic"));
  EXPECT_TRUE(all.find("clocks")->find("remote:tcp"));
}

}  // namespace
}  // namespace sluice
