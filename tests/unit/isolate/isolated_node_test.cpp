// Nodes in processes of their own: real processes, real plugins.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "host/engine/engine.hpp"
#include "host/isolate/isolated_type.hpp"
#include "host/loader/library.hpp"
#include "tests/support/engine_nodes.hpp"
#include "tests/support/folders.hpp"

namespace sluice {
namespace {

using engine::Engine;
using engine::EngineOptions;
using engine::Node;
using engine::NodeState;
using engine::ParameterValue;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using tests::Collected;
using tests::CollectingSink;
using tests::CountingSource;

constexpr sluice_format kStereo{sizeof(sluice_format), SLUICE_SAMPLE_F32, 2, 48000};

class Sentences final : public engine::NodeLog {
 public:
  void write(const std::string& node, uint32_t, const std::string& sentence) override {
    const std::lock_guard lock(mutex_);
    all_ += node + ": " + sentence + "\n";
  }
  std::string all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::string all_;
};

using Values = std::map<std::string, ParameterValue>;

class Isolation : public ::testing::Test {
 protected:
  void make_engine(engine::TimeMode time) {
    for (Collected& each : tests::collected) each = {};
    EngineOptions options;
    options.time = time;
    options.log = &log_;
    // So that a busy machine loses nothing, and a hang that is not seen does.
    options.crossing_ms = 800;
    engine_ = std::make_unique<Engine>(options);
  }
  static const loader::Type& type_of(const std::filesystem::path& file, const std::string& id) {
    const auto library = loader::Library::load(file);
    if (!library) {
      ADD_FAILURE() << library.error().message;
      std::abort();
    }
    for (const loader::Type* const each : (*library)->types()) {
      if (each->id() == id) return *each;
    }
    ADD_FAILURE() << id;
    std::abort();
  }
  static const loader::Type& shipped(const std::string& id) {
    return type_of(tests::plugin_folder() / (id + ".so"), id);
  }
  static const loader::Type& bad(const std::string& id) {
    return type_of(tests::bad_plugin_folder() / "troubled.so", id);
  }
  static const sluice_type& isolated(const loader::Type& type) {
    const auto made = isolate::isolated(type, tests::build_folder() / "bin/sluice");
    if (!made) {
      ADD_FAILURE() << made.error().message;
      std::abort();
    }
    return **made;
  }

  support::Result<Node*> try_add(const std::string& id, const sluice_type& type, Values given) {
    std::vector<ParameterValue> values(type.parameter_count);
    for (uint32_t i = 0; i < type.parameter_count; ++i) {
      values[i].number = type.parameters[i].default_number;
      if (type.parameters[i].default_text) values[i].text = type.parameters[i].default_text;
      if (given.contains(type.parameters[i].key)) values[i] = given[type.parameters[i].key];
    }
    auto node = engine_->add(id, type, std::move(values), 7);
    if (!node) return node;
    for (auto& port : (*node)->inputs) port->format = kStereo;
    for (auto& port : (*node)->outputs) port->format = kStereo;
    for (uint32_t i = 0; i < type.port_count; ++i) {
      static_cast<void>((*node)->describe(i, std::span(&kStereo, 1)));
    }
    return node;
  }
  Node& add(const std::string& id, const sluice_type& type, Values given = {}) {
    auto node = try_add(id, type, std::move(given));
    if (!node) {
      ADD_FAILURE() << node.error().message;
      std::abort();
    }
    return **node;
  }
  void connect(Node& from, Node& to) { engine_->connect(*from.outputs[0], *to.inputs[0], {}); }
  static Values number(const std::string& key, double value) { return {{key, {value, {}, {}, 0}}}; }

  void start() {
    const auto prepared = engine_->prepare();
    ASSERT_TRUE(prepared) << prepared.error().message;
    const auto started = engine_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  Engine::Outcome play() {
    start();
    const auto outcome = engine_->run(engine_->clock().now_ns() + 60'000'000'000);
    engine_->stop();
    return outcome;
  }
  // Real time: until `condition` holds.
  template <typename Condition>
  bool play_until(Condition condition) {
    const int64_t end_ns = engine_->clock().now_ns() + 60'000'000'000;
    while (!condition() && engine_->clock().now_ns() < end_ns) {
      engine_->run(engine_->clock().now_ns() + 5'000'000);
    }
    return condition();
  }
  // What `filter` makes of numbers.
  std::vector<float> through(const sluice_type& filter, const Values& values) {
    make_engine(engine::TimeMode::kVirtual);
    Node& source = add("source", TypeOf<CountingSource>::kType,
                       {{"frames", {20000, {}, {}, 0}}, {"step", {1e-4, {}, {}, 0}}});
    Node& node = add("node", filter, values);
    Node& sink = add("sink", TypeOf<CollectingSink>::kType);
    connect(source, node);
    connect(node, sink);
    EXPECT_EQ(play(), Engine::Outcome::kFinished) << log_.all();
    return tests::collected[0].samples;
  }
  // In the sentences, behind the word "process".
  pid_t process_of(const std::string& word) const {
    const std::string all = log_.all();
    const size_t at = all.rfind(word);
    return at == std::string::npos ? -1 : std::stoi(all.substr(at + word.size()));
  }

  Sentences log_;
  std::unique_ptr<Engine> engine_;
};

// ---- Nothing else changes

TEST_F(Isolation, Filter_givesTheSameBits) {
  const Values quieter = number("gain_db", -6.5);
  const auto there = through(isolated(shipped("filter.gain")), quieter);
  EXPECT_THAT(there, ElementsAreArray(through(shipped("filter.gain").data(), quieter)));
  EXPECT_EQ(there.size(), 20000U);
}

TEST_F(Isolation, FilterThatHoldsBack_givesTheSameBits) {
  const Values held = number("duration_ms", 120);
  const auto there = through(isolated(shipped("filter.prefill")), held);
  EXPECT_THAT(there, ElementsAreArray(through(shipped("filter.prefill").data(), held)));
}

TEST_F(Isolation, Source_givesTheSameBits) {
  const auto tone = [&](const sluice_type& type) {
    make_engine(engine::TimeMode::kVirtual);
    Node& source = add("tone", type, number("duration_ms", 500));
    Node& sink = add("sink", TypeOf<CollectingSink>::kType);
    connect(source, sink);
    EXPECT_EQ(play(), Engine::Outcome::kFinished) << log_.all();
    return tests::collected[0].samples;
  };
  const auto there = tone(isolated(shipped("source.tone")));
  EXPECT_THAT(there, ElementsAreArray(tone(shipped("source.tone").data())));
  EXPECT_EQ(there.size(), 24000U);
}

TEST_F(Isolation, Sink_writesTheSameFile) {
  const auto folder = std::filesystem::temp_directory_path() / "sluice-isolation";
  std::filesystem::create_directories(folder);
  const auto file = [&](const sluice_type& type, const std::string& name) {
    const std::string path = folder / name;
    make_engine(engine::TimeMode::kVirtual);
    Node& source = add("source", TypeOf<CountingSource>::kType, number("frames", 30000));
    Node& sink = add("sink", type, {{"path", {0, path, {}, 0}}});
    connect(source, sink);
    EXPECT_EQ(play(), Engine::Outcome::kFinished) << log_.all();
    engine_.reset();
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string there = file(isolated(shipped("sink.wav")), "there.wav");
  EXPECT_EQ(there, file(shipped("sink.wav").data(), "here.wav"));
  EXPECT_GT(there.size(), 30000U * 8);
  std::filesystem::remove_all(folder);
}

TEST_F(Isolation, ErrorOfThePlugin_isTheSameSentence) {
  make_engine(engine::TimeMode::kVirtual);
  const Values missing{{"path", {0, "/there/is/no/such/file.wav", {}, 0}}};
  const auto there = try_add("wav", isolated(shipped("source.wav")), missing);
  const auto here = try_add("wav2", shipped("source.wav").data(), missing);
  const auto why = [](const support::Result<Node*>& node) {
    if (!node) return node.error().message;
    const auto info = (*node)->describe(0, {});
    return info ? std::string("none") : info.error().message;
  };
  EXPECT_EQ(why(there).substr(why(there).find(' ')), why(here).substr(why(here).find(' ')));
  EXPECT_NE(why(there), "none");
}

// In the host, in processes of their own, and from the one to the other.
TEST_F(Isolation, Successor_isHandedTheState) {
  const loader::Type& type = bad("bad.inherits");
  for (const bool is_first_isolated : {false, true}) {
    for (const bool is_second_isolated : {false, true}) {
      make_engine(engine::TimeMode::kVirtual);
      Node& source = add("source", TypeOf<CountingSource>::kType);
      Node& first = add("first", is_first_isolated ? isolated(type) : type.data());
      Node& second = add("second", is_second_isolated ? isolated(type) : type.data());
      second.inherit(first);
      Node& sink = add("sink", TypeOf<CollectingSink>::kType);
      connect(source, first);
      connect(first, second);
      connect(second, sink);
      EXPECT_EQ(play(), Engine::Outcome::kFinished) << log_.all();
      ASSERT_EQ(tests::collected[0].frames, 1000U);
      EXPECT_EQ(tests::collected[0].samples.back(), 2) << is_first_isolated << is_second_isolated;
    }
  }
}

// ---- What happens to the process, and to the others

class Branches : public Isolation {
 protected:
  // A paced source to a sink, and through `type` to another.
  Node& build(const sluice_type& type) {
    make_engine(engine::TimeMode::kReal);
    Node& source = add("source", TypeOf<CountingSource>::kType,
                       {{"frames", {1e15, {}, {}, 0}},
                        {"block", {480, {}, {}, 0}},
                        {"paced_hz", {48000, {}, {}, 0}}});
    source.outputs[0]->is_live = true;
    Node& node = add("node", type);
    node.is_clocked = true;
    Node& untouched = add("untouched", TypeOf<CollectingSink>::kType, number("slot", 1));
    connect(source, untouched);
    connect(source, node);
    if (!node.outputs.empty()) {
      Node& sink = add("sink", TypeOf<CollectingSink>::kType, number("slot", 0));
      connect(node, sink);
    }
    return node;
  }
  // Every frame of the source that was written, each once.
  static void expect_untouched() {
    const auto& samples = tests::collected[1].samples;
    ASSERT_GT(samples.size(), 480U);
    for (size_t i = 1; i < samples.size(); ++i) {
      ASSERT_EQ(samples[i], samples[i - 1] + 1) << "at frame " << i;
    }
  }
  // It may be back before anybody looks at its state.
  bool was_lost() { return log_.all().find("silence until it is back") != std::string::npos; }
  bool is_back() { return log_.all().find("Back in process") != std::string::npos; }
};

class Trouble : public Branches, public ::testing::WithParamInterface<const char*> {};

uint32_t trouble_of(const std::string& name) {
  const std::vector<std::string> all{"none", "segfault", "abort", "exit", "hang"};
  return static_cast<uint32_t>(std::find(all.begin(), all.end(), name) - all.begin());
}

TEST_P(Trouble, OfAFilter_isSilentAndComesBack) {
  Node& node = build(isolated(bad("bad.troubled")));
  start();
  ASSERT_TRUE(play_until([&] { return node.slot(0) > 4800; }));
  ASSERT_TRUE(node.set_parameter(0, trouble_of(GetParam())));
  ASSERT_TRUE(play_until([&] { return was_lost(); })) << log_.all();
  ASSERT_TRUE(node.set_parameter(0, 0));
  ASSERT_TRUE(play_until([&] { return is_back(); })) << log_.all();
  const uint64_t before = node.slot(0);
  ASSERT_TRUE(play_until([&] { return node.slot(0) > before + 4800; })) << log_.all();
  engine_->stop();
  expect_untouched();
  // Each frame has one of its own behind the filter: as it was, or silence, and ramps between.
  const auto& heard = tests::collected[0].samples;
  size_t missing = 0, steps = 0;
  for (size_t i = 1; i < heard.size(); ++i) {
    const auto number = static_cast<float>(i + 1);
    missing += heard[i] != number ? 1U : 0U;
    // The steepest that half a cosine of 30 ms from one number to another can be.
    const float steepest = 2 + number * 3.15F / 2 / 1440 * 1.1F;
    steps += std::fabs(heard[i] - heard[i - 1]) > steepest ? 1U : 0U;
  }
  // Who ends may be back before the next block is due.
  if (std::string(GetParam()) == "hang") {
    EXPECT_GT(missing, 0U);
  }
  EXPECT_EQ(steps, 0U);
  EXPECT_EQ(heard.back(), static_cast<float>(heard.size()));
}

TEST_P(Trouble, OfASink_holdsUpNobody) {
  Node& node = build(isolated(bad("bad.troubled-sink")));
  start();
  ASSERT_TRUE(play_until([&] { return node.slot(0) > 4800; }));
  ASSERT_TRUE(node.set_parameter(0, trouble_of(GetParam())));
  const uint64_t before = node.slot(0);
  if (std::string(GetParam()) == "hang") {
    // A node that may use files has ten seconds: nobody else waits for them.
    const auto heard = [&]() -> uint64_t { return engine_->edges().front()->read_frames; };
    const uint64_t heard_before = heard();
    ASSERT_TRUE(play_until([&] { return heard() > heard_before + 96000; }));
  } else {
    ASSERT_TRUE(play_until([&] { return was_lost(); })) << log_.all();
    ASSERT_TRUE(node.set_parameter(0, 0));
    ASSERT_TRUE(play_until([&] { return node.slot(0) > before + 4800; })) << log_.all();
    EXPECT_TRUE(is_back());
  }
  engine_->stop();
  expect_untouched();
}
INSTANTIATE_TEST_SUITE_P(, Trouble, ::testing::Values("segfault", "abort", "exit", "hang"),
                         [](const auto& all) { return std::string(all.param); });

TEST_F(Branches, KilledFilter_isNamedAndComesBack) {
  Node& node = build(isolated(bad("bad.troubled")));
  start();
  ASSERT_TRUE(play_until([&] { return node.slot(0) > 4800; }));
  ASSERT_TRUE(node.set_parameter(0, trouble_of("segfault")));
  ASSERT_TRUE(play_until([&] { return was_lost(); }));
  ASSERT_TRUE(node.set_parameter(0, 0));
  ASSERT_TRUE(play_until([&] { return is_back(); }));
  ASSERT_EQ(kill(process_of("Back in process "), SIGKILL), 0);
  ASSERT_TRUE(play_until([&] {
    return log_.all().find("crashed (SIGKILL) in process") != std::string::npos;
  })) << log_.all();
  ASSERT_TRUE(play_until([&] { return node.state() == NodeState::kRunning; })) << log_.all();
  const uint64_t before = node.slot(0);
  ASSERT_TRUE(play_until([&] { return node.slot(0) > before; })) << log_.all();
  engine_->stop();
  expect_untouched();
}

TEST_F(Branches, StoppedProcess_isEndedAndReplaced) {
  Node& node = build(isolated(bad("bad.troubled")));
  start();
  ASSERT_TRUE(play_until([&] { return node.slot(0) > 4800; }));
  ASSERT_TRUE(node.set_parameter(0, trouble_of("abort")));
  ASSERT_TRUE(play_until([&] { return was_lost(); }));
  ASSERT_TRUE(node.set_parameter(0, 0));
  ASSERT_TRUE(play_until([&] { return is_back(); }));
  ASSERT_EQ(kill(process_of("Back in process "), SIGSTOP), 0);
  ASSERT_TRUE(play_until([&] {
    return log_.all().find("hung and was ended in process") != std::string::npos;
  })) << log_.all();
  ASSERT_TRUE(play_until([&] { return node.state() == NodeState::kRunning; })) << log_.all();
  engine_->stop();
  expect_untouched();
}

TEST_F(Branches, FilterThatNeverWorks_isTriedLessAndLessOften) {
  Node& node = build(isolated(bad("bad.troubled-at-once")));
  start();
  ASSERT_TRUE(node.set_parameter(0, trouble_of("abort")));
  ASSERT_TRUE(play_until([&] { return log_.all().find("next try in 0.5 s") != std::string::npos; }))
      << log_.all();
  EXPECT_THAT(log_.all(), HasSubstr("next try at once"));
  EXPECT_THAT(log_.all(), HasSubstr("next try in 0.25 s"));
  engine_->stop();
  expect_untouched();
}

TEST_F(Isolation, CrashWhilePreparing_isAnErrorOfTheNode) {
  make_engine(engine::TimeMode::kVirtual);
  Node& source = add("source", TypeOf<CountingSource>::kType);
  Node& node =
      add("node", isolated(bad("bad.troubled-in-prepare")), number("trouble", trouble_of("abort")));
  Node& sink = add("sink", TypeOf<CollectingSink>::kType);
  connect(source, node);
  connect(node, sink);
  const auto prepared = engine_->prepare();
  ASSERT_FALSE(prepared);
  EXPECT_THAT(prepared.error().message, HasSubstr("node: "));
  EXPECT_THAT(prepared.error().message, HasSubstr("process of its own"));
}

TEST_F(Isolation, CrashInVirtualTime_failsTheNode) {
  make_engine(engine::TimeMode::kVirtual);
  Node& source = add("source", TypeOf<CountingSource>::kType);
  Node& node =
      add("node", isolated(bad("bad.troubled-at-once")), number("trouble", trouble_of("abort")));
  Node& sink = add("sink", TypeOf<CollectingSink>::kType);
  connect(source, node);
  connect(node, sink);
  EXPECT_EQ(play(), Engine::Outcome::kFinished);
  EXPECT_EQ(node.state(), NodeState::kFailed);
  EXPECT_THAT(node.sentence(), HasSubstr("in process"));
}

// Whatever it does, the others play on: in virtual time its node may fail, stall or give nonsense.
TEST_F(Isolation, MisbehavingPlugins_harmNobody) {
  const auto library = loader::Library::load(tests::bad_plugin_folder() / "misbehaving.so");
  ASSERT_TRUE(library);
  for (const loader::Type* const type : (*library)->types()) {
    if (type->execution() != SLUICE_EXECUTION_PASSIVE || type->ports().size() != 2) continue;
    SCOPED_TRACE(std::string(type->id()));
    make_engine(engine::TimeMode::kVirtual);
    Node& source = add("source", TypeOf<CountingSource>::kType, number("frames", 4800));
    Node& other = add("other", TypeOf<CollectingSink>::kType, number("slot", 1));
    connect(source, other);
    Node& sink = add("sink", TypeOf<CollectingSink>::kType, number("slot", 0));
    auto node = try_add("node", isolated(*type), {});
    if (!node) continue;  // refused with a sentence
    connect(source, **node);
    engine_->edges().back()->options.when_full = engine::WhenFull::kSkip;
    engine_->edges().back()->when_full = engine::WhenFull::kSkip;
    connect(**node, sink);
    if (!engine_->prepare()) continue;
    ASSERT_TRUE(engine_->start());
    engine_->run(engine_->clock().now_ns() + 20'000'000'000);
    engine_->stop();
    EXPECT_EQ(tests::collected[1].frames, 4800U) << log_.all();
  }
}

// ---- What it is kept from

TEST_F(Isolation, CuriousPlugin_getsNoMoreThanItDeclares) {
  const auto folder = std::filesystem::temp_directory_path() / "sluice-curious";
  std::filesystem::create_directories(folder / "own");
  for (const char* name : {"secret", "declared"}) std::ofstream(folder / name) << name;
  make_engine(engine::TimeMode::kVirtual);
  Node& source = add("source", TypeOf<CountingSource>::kType);
  Node& node = add("node", isolated(bad("bad.curious")),
                   {{"secret", {0, folder / "secret", {}, 0}},
                    {"declared", {0, folder / "declared", {}, 0}},
                    {"written", {0, folder / "own/written", {}, 0}}});
  Node& sink = add("sink", TypeOf<CollectingSink>::kType);
  connect(source, node);
  connect(node, sink);
  EXPECT_EQ(play(), Engine::Outcome::kFinished) << log_.all();
  const auto could = [&](uint32_t statistic) {
    return std::bit_cast<double>(node.slot(statistic)) == 1;
  };
  // A kernel that lacks something says so, in the log.
  const bool has_files = log_.all().find("Landlock") == std::string::npos;
  const bool has_calls = log_.all().find("seccomp") == std::string::npos;
  EXPECT_EQ(could(0), !has_files) << "read what it had not declared";
  EXPECT_TRUE(could(1)) << "declared to read";
  EXPECT_TRUE(could(2)) << "declared to write";
  EXPECT_EQ(could(3), !has_files) << "wrote what it had not declared";
  EXPECT_EQ(could(4), !has_calls) << "made a socket";
  EXPECT_EQ(could(5), !has_calls) << "started a process";
  EXPECT_EQ(could(6), !has_calls) << "signalled its parent";
  EXPECT_TRUE(could(7)) << "started a thread";
  engine_.reset();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sluice
