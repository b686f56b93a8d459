// Plugins that break one promise each, loaded by the loader and run by the engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/engine/engine.hpp"
#include "host/loader/library.hpp"
#include "host/support/audio_section.hpp"
#include "host/support/log.hpp"
#include "host/validate/rt_guard.hpp"
#include "tests/support/engine_nodes.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/guarded_buffer.hpp"

namespace sluice {
namespace {

using engine::Engine;
using engine::EngineOptions;
using engine::Node;
using engine::ParameterValue;
using support::AudioSection;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::IsEmpty;
using tests::Collected;
using tests::CollectingSink;
using tests::CountingSource;
using validate::RtGuardRecorder;

constexpr sluice_format kStereo{sizeof(sluice_format), SLUICE_SAMPLE_F32, 2, 48000};
constexpr uint64_t kFrames = 4800;

// As the host does it: what a node says goes to the log.
class LogOfNodes final : public engine::NodeLog {
 public:
  void write(const std::string& node, uint32_t level, const std::string& sentence) override {
    support::log(static_cast<support::LogLevel>(level), node, sentence);
  }
};
class Quiet final : public support::LogOutput {
 public:
  void write(const support::LogLine&) override {}
};

class MisbehavingPlugins : public ::testing::Test {
 protected:
  static const sluice_type& type(const std::string& id) {
    const auto library = loader::Library::load(tests::bad_plugin_folder() / "misbehaving.so");
    if (!library) {
      ADD_FAILURE() << library.error().message;
      std::abort();
    }
    for (const loader::Type* const each : (*library)->types()) {
      if (each->id() == id) return each->data();
    }
    ADD_FAILURE() << id;
    std::abort();
  }

  Node& add(const std::string& id, const sluice_type& node_type, double first_parameter = 0) {
    std::vector<ParameterValue> values(node_type.parameter_count);
    for (uint32_t i = 0; i < node_type.parameter_count; ++i) {
      values[i].number = i == 0 ? first_parameter : node_type.parameters[i].default_number;
    }
    auto node = engine_->add(id, node_type, std::move(values));
    if (!node) {
      ADD_FAILURE() << node.error().message;
      std::abort();
    }
    for (auto& port : (*node)->inputs) port->format = kStereo;
    for (auto& port : (*node)->outputs) port->format = kStereo;
    return **node;
  }

  // source -> bad -> sink, in virtual time.
  Node& build(const std::string& id) {
    tests::collected = {};
    EngineOptions options;
    options.time = engine::TimeMode::kVirtual;
    options.log = &log_;
    engine_ = std::make_unique<Engine>(options);
    Node& source = add("source", TypeOf<CountingSource>::kType, kFrames);
    Node& bad = add("bad", type(id));
    Node& sink = add("sink", TypeOf<CollectingSink>::kType);
    engine_->connect(*source.outputs[0], *bad.inputs[0], {});
    engine_->connect(*bad.outputs[0], *sink.inputs[0], {});
    return bad;
  }
  Engine::Outcome play() {
    const auto prepared = engine_->prepare();
    EXPECT_TRUE(prepared) << prepared.error().message;
    EXPECT_TRUE(engine_->start());
    const auto outcome = engine_->run(engine_->clock().now_ns() + 20'000'000'000);
    engine_->stop();
    return outcome;
  }
  // What the guard saw while the type ran.
  std::vector<std::string> forbidden_calls(const std::string& id) {
    build(id);
    const RtGuardRecorder recorder;
    EXPECT_EQ(play(), Engine::Outcome::kFinished);
    EXPECT_EQ(collected_.frames, kFrames);
    return recorder.functions();
  }

  LogOfNodes log_;
  Quiet quiet_;
  support::LogRedirect redirect_{quiet_};
  Collected& collected_ = tests::collected[0];
  std::unique_ptr<Engine> engine_;
};

class RtGuard : public MisbehavingPlugins {
 protected:
  void SetUp() override {
    if (!validate::has_rt_guard()) GTEST_SKIP() << "sanitizers replace the same functions";
  }
};

TEST_F(RtGuard, Allocation_in_process_is_caught) {
  const auto calls = forbidden_calls("bad.allocates");
  EXPECT_THAT(calls, Contains("malloc"));
  EXPECT_THAT(calls, Contains("free"));
}

TEST_F(RtGuard, Freeing_in_process_is_caught) {
  EXPECT_THAT(forbidden_calls("bad.frees"), Contains("free"));
}

TEST_F(RtGuard, Lock_in_process_is_caught) {
  EXPECT_THAT(forbidden_calls("bad.locks"), Contains("pthread_mutex_lock"));
}

TEST_F(RtGuard, File_opened_in_process_is_caught) {
  const auto calls = forbidden_calls("bad.opens-file");
  EXPECT_THAT(calls, Contains(AnyOf("open", "open64")));
  EXPECT_THAT(calls, Contains("close"));
}

TEST_F(RtGuard, Printing_in_process_is_caught) {
  ::testing::internal::CaptureStdout();
  const auto calls = forbidden_calls("bad.prints");
  ::testing::internal::GetCapturedStdout();
  EXPECT_THAT(calls, Contains("puts"));
  EXPECT_THAT(calls, Contains("fwrite"));
}

TEST_F(RtGuard, Log_call_in_process_is_caught) {
  EXPECT_THAT(forbidden_calls("bad.logs"), Contains(AnyOf("pthread_mutex_lock", "malloc")));
}

TEST_F(RtGuard, Sleep_in_process_is_caught) {
  EXPECT_THAT(forbidden_calls("bad.sleeps"), Contains(AnyOf("nanosleep", "clock_nanosleep")));
}

TEST_F(RtGuard, Well_behaved_filter_goes_unnoticed) {
  EXPECT_THAT(forbidden_calls("bad.makes-nan"), IsEmpty());
}

TEST_F(RtGuard, Outside_of_audio_calls_everything_is_allowed) {
  const RtGuardRecorder recorder;
  delete new int(1);
  EXPECT_THAT(recorder.functions(), IsEmpty());
}

TEST_F(RtGuard, Inside_an_audio_call_new_is_noted) {
  const RtGuardRecorder recorder;
  {
    const AudioSection section;
    std::vector<int>* volatile made = new std::vector<int>(100);
    delete made;
  }
  EXPECT_TRUE(recorder.has("malloc"));
  EXPECT_TRUE(recorder.has("free"));
  EXPECT_FALSE(recorder.has("open"));
}

using RtGuardDeathTest = RtGuard;
TEST_F(RtGuardDeathTest, Without_a_recorder_the_test_ends_with_a_sentence) {
  const auto break_promise = [] {
    const AudioSection section;
    void* volatile memory = std::malloc(8);
    std::free(memory);
  };
  EXPECT_DEATH(break_promise(), "rt_guard: malloc was called in an audio call");
}

TEST_F(MisbehavingPlugins, Exception_in_create_becomes_its_sentence) {
  EngineOptions options;
  options.time = engine::TimeMode::kVirtual;
  Engine engine(options);
  const auto node = engine.add("bad", type("bad.throws-in-create"), {});
  ASSERT_FALSE(node);
  EXPECT_THAT(node.error().message, ::testing::HasSubstr("no luck today"));
}

TEST_F(MisbehavingPlugins, Failing_prepare_gives_its_sentence_and_nothing_runs) {
  build("bad.fails-in-prepare");
  const auto prepared = engine_->prepare();
  ASSERT_FALSE(prepared);
  EXPECT_THAT(prepared.error().message, ::testing::HasSubstr("The device is not there."));
  EXPECT_EQ(collected_.frames, 0u);
}

TEST_F(MisbehavingPlugins, Failing_without_a_sentence_gets_one_from_the_host) {
  build("bad.fails-without-sentence");
  const auto prepared = engine_->prepare();
  ASSERT_FALSE(prepared);
  EXPECT_THAT(prepared.error().message, ::testing::HasSubstr("without saying why"));
}

TEST_F(MisbehavingPlugins, Type_without_its_functions_makes_no_node_and_names_what_is_missing) {
  EngineOptions options;
  options.time = engine::TimeMode::kVirtual;
  Engine engine(options);
  for (const auto& [id, sentence] : std::vector<std::pair<const char*, const char*>>{
           {"bad.has-no-table", "no functions to run"},
           {"bad.has-no-node", "has to set *node"},
           {"bad.has-no-process", "no function process"},
           {"bad.has-no-run", "no function run"},
           {"bad.has-no-start", "no function start"},
           {"bad.has-no-stop", "no function stop"}}) {
    const auto node = engine.add("bad", type(id), {});
    ASSERT_FALSE(node) << id;
    EXPECT_THAT(node.error().message,
                ::testing::AllOf(::testing::HasSubstr(id), ::testing::HasSubstr(sentence)));
  }
}

TEST_F(MisbehavingPlugins, Node_without_progress_stalls_and_is_found_out) {
  build("bad.never-progresses");
  EXPECT_EQ(play(), Engine::Outcome::kStalled);
  EXPECT_EQ(collected_.frames, 0u);
}

TEST_F(MisbehavingPlugins, Answer_that_is_none_fails_the_node_and_ends_its_output) {
  for (const char* const id : {"bad.answers-nothing", "bad.answers-nonsense"}) {
    const Node& bad = build(id);
    EXPECT_NE(play(), Engine::Outcome::kRunning) << id;
    EXPECT_EQ(bad.state(), engine::NodeState::kFailed) << id;
    engine_.reset();
  }
}

TEST_F(MisbehavingPlugins, Counts_beyond_the_offer_are_clamped_and_counted) {
  const Node& bad = build("bad.claims-too-much");
  play();
  EXPECT_GT(bad.violations.load(), 0u);
  EXPECT_LE(collected_.frames, uint64_t{1} << 20U);
}

// Runs one block of `id` on buffers that end where nobody may write.
void process_once(const sluice_type& type) {
  constexpr uint32_t kBlock = 480;
  sluice_host host{};
  host.struct_size = sizeof(host);
  sluice_node* node = nullptr;
  ASSERT_EQ(type.functions->create(&host, &node), SLUICE_OK);
  sluice_port_setup ports[2] = {};
  for (sluice_port_setup& port : ports) {
    port.struct_size = sizeof(port);
    port.format = kStereo;
  }
  sluice_setup setup{sizeof(setup), SLUICE_MODE_OFFLINE, kBlock, 2, ports, 0};
  ASSERT_EQ(type.functions->prepare(node, &setup), SLUICE_OK);
  const auto* const passive =
      static_cast<const sluice_passive*>(type.functions->get_interface(node, SLUICE_PASSIVE));
  tests::GuardedBuffer<float> from(kBlock * 2);
  tests::GuardedBuffer<float> to(kBlock * 2);
  sluice_input in{};
  in.struct_size = sizeof(in);
  in.data = from.data();
  in.frames = kBlock;
  sluice_output out{};
  out.struct_size = sizeof(out);
  out.data = to.data();
  out.frames = kBlock;
  sluice_block block{sizeof(block), 1, 1, 0, &in, &out, nullptr};
  EXPECT_EQ(passive->process(node, &block), uint32_t{SLUICE_STATUS_CONTINUE});
  type.functions->release(node);
  type.functions->destroy(node);
}

using MisbehavingPluginsDeathTest = MisbehavingPlugins;
TEST_F(MisbehavingPluginsDeathTest, Writing_beyond_the_span_is_caught_by_a_guarded_buffer) {
  process_once(type("bad.makes-nan"));
  EXPECT_DEATH(process_once(type("bad.writes-beyond")), "");
}

TEST_F(MisbehavingPlugins, Not_a_number_travels_and_stops_nothing) {
  build("bad.makes-nan");
  EXPECT_EQ(play(), Engine::Outcome::kFinished);
  ASSERT_EQ(collected_.samples.size(), kFrames);
  EXPECT_TRUE(std::isnan(collected_.samples[0]));
}

}  // namespace
}  // namespace sluice
