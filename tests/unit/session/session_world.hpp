// A graph that plays, in virtual time if not said otherwise, with real plugins, and changes.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/graph/json_text.hpp"
#include "host/session/plugin_catalog.hpp"
#include "host/session/session.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/sound_files.hpp"

namespace sluice::session {

inline constexpr int64_t kMsNs = 1'000'000;

inline graph::Value json(const std::string& text) {
  auto value = graph::parse_json_value(text);
  EXPECT_TRUE(value) << text;
  return value.value_or(graph::Value());
}

inline ChangeRequest operations(const std::vector<std::string>& texts) {
  ChangeRequest request;
  for (const std::string& text : texts) request.operations.push_back(json(text));
  return request;
}

inline ChangeRequest route(const std::string& name) {
  return operations({R"({"op": "route", "route": ")" + name + "\"}"});
}

struct SessionWorld {
  explicit SessionWorld(const std::string& text, engine::Network* network = nullptr,
                        engine::TimeMode time = engine::TimeMode::kVirtual)
      : registry(registry_options()) {
    const graph::Catalog types = full_catalog(registry);
    graph::LoadOptions load;
    load.applies_routes = false;
    load.needs_inputs = false;
    load.folder = folder.path();
    const auto loaded = graph::load_text(text, "test.json", types, load);
    for (const auto& diagnostic : loaded.diagnostics) {
      if (loaded.document) break;  // a warning
      ADD_FAILURE() << graph::to_text(diagnostic);
    }
    if (!loaded.document) return;
    PlayerOptions options;
    options.time = time;
    options.block_frames = 480;
    options.network = network;
    std::vector<graph::Diagnostic> diagnostics;
    const graph::Value base = graph::to_normal_json(*loaded.document, graph::Secrets::kReveal);
    load.applies_routes = true;
    const auto document = graph::load_text(text, "test.json", types, load).document;
    session = Session::make(*document, base, registry, options, diagnostics);
    for (const auto& diagnostic : diagnostics) ADD_FAILURE() << graph::to_text(diagnostic);
    if (!session) return;
    const auto started = session->player().start();
    EXPECT_TRUE(started) << started.error().message;
  }

  static loader::RegistryOptions registry_options() {
    loader::RegistryOptions options;
    options.plugin_dirs = {tests::plugin_folder()};
    return options;
  }

  engine::Engine& engine() { return session->player().engine(); }
  engine::Node& node(const std::string& id) {
    engine::Node* newest = nullptr;
    for (engine::Node* node : engine().nodes()) {
      if (node->id() == id) newest = node;
    }
    EXPECT_NE(newest, nullptr) << id;
    return *newest;
  }
  bool has_node(const std::string& id) { return engine().find(id) != nullptr; }

  void run_for(int64_t ns) {
    const auto outcome = engine().run(engine().clock().now_ns() + ns, [this] {
      session->tend();
      return true;
    });
    EXPECT_EQ(outcome, engine::Engine::Outcome::kRunning);
    session->tend();
  }
  // Asks for a change and lets the graph run until it was carried out or refused.
  ChangeResult change(ChangeRequest request) {
    ChangeResult result;
    bool is_done = false;
    session->change(std::move(request), [&](const ChangeResult& said) {
      result = said;
      is_done = true;
    });
    for (int i = 0; i < 5000 && !is_done; ++i) run_for(kMsNs);
    EXPECT_TRUE(is_done);
    return result;
  }
  void settle() {
    for (int i = 0; i < 5000 && !session->is_settled(); ++i) run_for(kMsNs);
    EXPECT_TRUE(session->is_settled());
  }
  // Every frame that was written for an edge is read, lost and counted, or still there.
  void expect_accounted() {
    for (const engine::EdgeSnapshot& seen : engine().snapshot().edges) {
      if (seen.edge->is_new || !seen.edge->is_wired) continue;
      const engine::Edge& edge = *seen.edge;
      const std::string name = edge.from.node.id() + " -> " + edge.to.node.id();
      const uint64_t read = seen.read_frames - edge.carried.read_frames;
      const uint64_t lost = seen.lost_frames - edge.carried.lost_frames;
      const uint64_t end = edge.is_closed ? edge.close_position.load() : edge.from.written();
      EXPECT_EQ(edge.attach_position + read + lost + seen.fill_frames + seen.unread_frames, end)
          << name;
    }
  }

  tests::TemporaryFolder folder;
  loader::Registry registry;
  std::unique_ptr<Session> session;
};

}  // namespace sluice::session
