// Marks, upstream events, live parameters and packets on their way through a graph.
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_world.hpp"

namespace sluice::engine {
namespace {

using namespace sluice::tests;
using Outcome = Engine::Outcome;

class EngineMarks : public BothTimes {};

TEST_P(EngineMarks, Marks_pass_a_chain_later_by_its_latency) {
  World world(GetParam());
  Node& source = world.add<MarkingSource>("source", {{MarkingSource::kFrames, 20'000},
                                                     {MarkingSource::kGapAt, 3'333},
                                                     {MarkingSource::kSilentFrom, 5'000},
                                                     {MarkingSource::kSilentTo, 12'345}});
  world.chain(
      {&source,
       &world.add<NotingFilter>("part", {{NotingFilter::kPart, 1}, {NotingFilter::kSlot, 14}}),
       &world.add<LateFilter>("late", {{LateFilter::kLatency, 111}}),
       &world.add<CopyFilter>("copy"),
       &world.add<LateFilter>("later", {{LateFilter::kLatency, 1'000}}),
       &world.add<CollectingSink>("sink", {{CollectingSink::kBlock, 57}})});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  const auto& marks = collected[0].marks;
  ASSERT_EQ(marks.size(), 3U);
  EXPECT_EQ(marks[0].kind, uint32_t{SLUICE_MARK_GAP});
  EXPECT_EQ(marks[0].position, 3'333U + 1'111U);
  EXPECT_EQ(marks[0].value, 7U);
  EXPECT_EQ(marks[1].kind, uint32_t{SLUICE_MARK_SILENCE_BEGINS});
  EXPECT_EQ(marks[1].position, 5'000U + 1'111U);
  EXPECT_EQ(marks[2].kind, uint32_t{SLUICE_MARK_SILENCE_ENDS});
  EXPECT_EQ(marks[2].position, 12'345U + 1'111U);
  EXPECT_EQ(samples()[5'000 + 1'111], 0.0F);
  EXPECT_EQ(samples()[12'345 + 1'111], 12'346.0F);
  // The filter in front saw each of them once.
  EXPECT_EQ(collected[14].marks.size(), 3U);
}

TEST_P(EngineMarks, Sum_tells_silence_only_when_all_are_silent) {
  World world(GetParam());
  Node& sink = world.add<CollectingSink>("sink");
  for (const double from : {4'000.0, 6'000.0}) {
    world.join(world.add<MarkingSource>("source" + std::to_string(from),
                                        {{MarkingSource::kFrames, 20'000},
                                         {MarkingSource::kSilentFrom, from},
                                         {MarkingSource::kSilentTo, 2 * from}}),
               sink);
  }
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  const auto& marks = collected[0].marks;
  ASSERT_EQ(marks.size(), 2U);
  EXPECT_EQ(marks[0].kind, uint32_t{SLUICE_MARK_SILENCE_BEGINS});
  EXPECT_EQ(marks[0].position, 6'000U);
  EXPECT_EQ(marks[1].kind, uint32_t{SLUICE_MARK_SILENCE_ENDS});
  EXPECT_EQ(marks[1].position, 8'000U);
}

TEST_P(EngineMarks, Upstream_codes_reach_every_passive_node_in_order_across_lanes) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 96'000}, {CountingSource::kPacedHz, 192'000}});
  Node& first = world.add<NotingFilter>("first", {{NotingFilter::kSlot, 1}});
  Node& second = world.add<NotingFilter>("second", {{NotingFilter::kSlot, 2}});
  // Fed by two lanes: a mixing lane of its own.
  Node& third =
      world.add<NotingFilter>("third", {{NotingFilter::kSlot, 3}, {NotingFilter::kTellAt, 10'000}});
  Node& other = world.add<CountingSource>(
      "other", {{CountingSource::kFrames, 96'000}, {CountingSource::kPacedHz, 192'000}});
  world.chain({&source, &first, &second, &third, &world.add<CollectingSink>("sink")});
  world.join(other, third);
  world.start();
  EXPECT_NE(third.lane, second.lane);
  EXPECT_EQ(world.engine->run(world.engine->clock().now_ns() + 10 * kSecondNs), Outcome::kFinished);
  world.engine->stop();
  for (const size_t slot : {1U, 2U}) {
    const auto& events = collected[slot].events;
    ASSERT_EQ(events.size(), 3U) << slot;
    EXPECT_EQ(events[0].code, uint32_t{SLUICE_UPSTREAM_RECONNECTED});
    EXPECT_EQ(events[1].code, uint32_t{SLUICE_UPSTREAM_ASLEEP});
    EXPECT_EQ(events[2].code, uint32_t{SLUICE_UPSTREAM_AWAKE});
    for (const auto& event : events) EXPECT_EQ(event.kind, uint32_t{SLUICE_EVENT_UPSTREAM});
  }
  EXPECT_TRUE(collected[3].events.empty());
}

TEST_P(EngineMarks, Live_parameter_comes_once_with_the_next_block) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 1e9}, {CountingSource::kPacedHz, 192'000}});
  Node& filter = world.add<NotingFilter>("filter", {{NotingFilter::kSlot, 1}});
  const Edge& edge = world.join(source, filter);
  world.join(filter, world.add<CollectingSink>("sink"));
  world.start();
  world.run_until_read(edge, 10'000);
  const uint64_t before = source.outputs[0]->written();
  ASSERT_TRUE(filter.set_parameter(NotingFilter::kKnob, 1.5));
  const uint64_t after = source.outputs[0]->written();
  world.run_until_read(edge, edge.read_frames + 10'000);
  ASSERT_TRUE(filter.set_parameter(NotingFilter::kKnob, 2.5));
  EXPECT_FALSE(filter.set_parameter(NotingFilter::kKnob, 1e10));
  EXPECT_FALSE(filter.set_parameter(NotingFilter::kSlot, 1));
  world.run_until_read(edge, edge.read_frames + 10'000);
  world.engine->stop();
  const auto& events = collected[1].events;
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].index, uint32_t{NotingFilter::kKnob});
  EXPECT_EQ(events[0].value, 1.5);
  EXPECT_EQ(events[1].value, 2.5);
  EXPECT_GE(collected[1].event_positions[0] + 4'800, before);
  EXPECT_LE(collected[1].event_positions[0], after + 4'800);
}

// Makes a packet of every 100 numbers.
class Packer final : public Passive<Packer> {
 public:
  static constexpr Info kInfo{"test.packer", "Packer", "Packs."};
  static constexpr sluice_port kPorts[] = {input("in", "Audio.", kF32Only),
                                           packets(SLUICE_OUTPUT, "out", "Packets.")};
  void prepare(Setup&) { packets_ = extension<sluice_packet_host>(SLUICE_PACKET_HOST); }
  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    const auto* samples = static_cast<const float*>(in.data);
    while (in.frames - in.consumed >= 100) {
      void* data = nullptr;
      if (packets_->reserve(host(), 1, 400, &data) != SLUICE_OK) return SLUICE_STATUS_NEED_ROOM;
      std::copy_n(samples + in.consumed, 100, static_cast<float*>(data));
      sluice_packet packet{};
      packet.struct_size = sizeof(packet);
      packet.size_bytes = 400;
      packet.position = in.position + in.consumed;
      packet.duration_frames = 100;
      packet.sequence = packet.position / 100;
      packets_->commit(host(), 1, &packet);
      in.consumed += 100;
    }
    if ((in.flags & SLUICE_INPUT_ENDED) != 0) return SLUICE_STATUS_DRAINED;
    in.wanted = 100;
    return SLUICE_STATUS_NEED_INPUT;
  }

 private:
  const sluice_packet_host* packets_ = nullptr;
};

class Unpacker final : public Passive<Unpacker> {
 public:
  static constexpr Info kInfo{"test.unpacker", "Unpacker", "Unpacks."};
  static constexpr sluice_port kPorts[] = {packets(SLUICE_INPUT, "in", "Packets."),
                                           output("out", "Audio.", kF32Only)};
  void prepare(Setup&) { packets_ = extension<sluice_packet_host>(SLUICE_PACKET_HOST); }
  sluice_status process(sluice_block& block) noexcept {
    sluice_output& out = *block.outputs;
    sluice_packet packet{};
    packet.struct_size = sizeof(packet);
    while (packets_->peek(host(), 0, &packet) == SLUICE_OK) {
      if (out.frames - out.produced < 100) return SLUICE_STATUS_NEED_ROOM;
      std::copy_n(static_cast<const float*>(packet.data), 100,
                  static_cast<float*>(out.data) + out.produced);
      out.produced += 100;
      packets_->pop(host(), 0);
    }
    return (block.inputs->flags & SLUICE_INPUT_ENDED) != 0 ? SLUICE_STATUS_DRAINED
                                                           : SLUICE_STATUS_NEED_INPUT;
  }

 private:
  const sluice_packet_host* packets_ = nullptr;
};

// Passes packets on from a thread of its own.
class Relay final : public Threaded<Relay> {
 public:
  static constexpr Info kInfo{"test.relay", "Relay", "Relays."};
  static constexpr sluice_port kPorts[] = {packets(SLUICE_INPUT, "in", "Packets."),
                                           packets(SLUICE_OUTPUT, "out", "Packets.")};
  void prepare(Setup&) { packets_ = extension<sluice_packet_host>(SLUICE_PACKET_HOST); }
  void run() {
    sluice_packet packet{};
    packet.struct_size = sizeof(packet);
    for (;;) {
      if (wait(on_input(0)) == SLUICE_ERROR_STOPPED) return;
      if (packets_->peek(host(), 0, &packet) != SLUICE_OK) return;  // ready without one: the end
      if (wait(on_output(1, packet.size_bytes)) == SLUICE_ERROR_STOPPED) return;
      void* data = nullptr;
      if (packets_->peek(host(), 0, &packet) != SLUICE_OK ||
          packets_->reserve(host(), 1, packet.size_bytes, &data) != SLUICE_OK) {
        throw Failure{SLUICE_ERROR_INTERNAL, "A wait has lied."};
      }
      std::memcpy(data, packet.data, packet.size_bytes);
      packets_->commit(host(), 1, &packet);
      packets_->pop(host(), 0);
    }
  }

 private:
  const sluice_packet_host* packets_ = nullptr;
};

TEST_P(EngineMarks, Packets_travel_through_passive_and_threaded_nodes) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 100'000}});
  Node& packer = world.add<Packer>("packer");
  Node& relay = world.add<Relay>("relay");
  Node& unpacker = world.add<Unpacker>("unpacker");
  world.chain({&source, &packer, &relay, &unpacker, &world.add<CollectingSink>("sink")});
  EXPECT_EQ(world.play(), Outcome::kFinished);
  expect_counted(100'000);
  EXPECT_EQ(relay.state(), NodeState::kFinished) << relay.sentence();
  EXPECT_EQ(world.engine->edges()[2]->read_frames, 1'000U);
}

SLUICE_IN_BOTH_TIMES(EngineMarks);

}  // namespace
}  // namespace sluice::engine
