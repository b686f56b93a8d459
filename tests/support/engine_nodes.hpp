// Node types for tests of the engine, made in the test program itself.
#pragma once

#include <cstdint>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

namespace sluice::tests {

// What the nodes of one test share; set before the engine is built.
struct Collected {
  std::vector<float> samples;
  std::vector<sluice_mark> marks;
  uint64_t frames = 0;
};

// Writes the numbers 1, 2, 3 ... as f32 frames, all channels alike (exact up to 2^24).
class CountingSource final : public Threaded<CountingSource> {
 public:
  static constexpr Info kInfo{"test.source", "Counter", "Counts."};
  static constexpr sluice_format_offer kOffers[] = {
      offer(SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_F32), SLUICE_SAMPLE_F32)};
  static constexpr sluice_port kPorts[] = {output("out", "Numbers.", kOffers)};
  enum { kFrames, kBlock, kPacedHz };
  static constexpr sluice_parameter kParameters[] = {
      sluice::integer("frames", "frames", 0, 1e15, 1000, "How many."),
      sluice::integer("block", "frames", 1, 65536, 480, "At once."),
      sluice::integer("paced_hz", "Hz", 0, 768000, 0, "0: as fast as it goes.")};

  void prepare(Setup& setup) { channels_ = setup.channels(); }
  void run() {
    const auto total = static_cast<uint64_t>(number(kFrames));
    const uint32_t block = integer(kBlock);
    const uint32_t paced_hz = integer(kPacedHz);
    const int64_t start_ns = now_ns();
    for (uint64_t done = 0; done < total;) {
      if (paced_hz != 0) {
        const auto due_ns =
            start_ns + static_cast<int64_t>((done + block) * 1'000'000'000 / paced_hz);
        if (sleep_until(due_ns) == SLUICE_ERROR_STOPPED) return;
      } else if (wait(on_output(0, block)) == SLUICE_ERROR_STOPPED) {
        return;
      }
      const uint32_t want = static_cast<uint32_t>(std::min<uint64_t>(block, total - done));
      const sluice_write_span span = begin_write(0, want);
      auto* out = static_cast<float*>(span.data);
      for (uint32_t i = 0; i < span.frames; ++i) {
        for (uint32_t c = 0; c < channels_; ++c) *out++ = static_cast<float>(done + i + 1);
      }
      end_write(0, span.frames, paced_hz != 0 ? now_ns() : SLUICE_NO_TIME);
      done += span.frames;
      if (paced_hz != 0 && span.frames < want) {
        drop(0, want - span.frames);
        done += want - span.frames;
      }
    }
  }

 private:
  uint32_t channels_ = 1;
};

// Collects the first channel of all it gets.
class CollectingSink final : public Threaded<CollectingSink> {
 public:
  static constexpr Info kInfo{"test.sink", "Collector", "Collects."};
  static constexpr sluice_port kPorts[] = {input("in", "Audio.", kOfferF32)};
  enum { kPacedHz, kBlock };
  static constexpr sluice_parameter kParameters[] = {
      sluice::integer("paced_hz", "Hz", 0, 768000, 0, "0: as fast as it comes."),
      sluice::integer("block", "frames", 1, 65536, 480, "At once.")};
  static inline Collected* collected = nullptr;

  void prepare(Setup& setup) { channels_ = setup.channels(); }
  void run() {
    const uint32_t paced_hz = integer(kPacedHz);
    const uint32_t block = integer(kBlock);
    int64_t due_ns = now_ns();
    uint64_t taken = 0;
    for (;;) {
      if (wait(on_input(0, block)) == SLUICE_ERROR_STOPPED) return;
      if (paced_hz != 0) {
        taken += block;
        if (sleep_until(due_ns + static_cast<int64_t>(taken * 1'000'000'000 / paced_hz)) ==
            SLUICE_ERROR_STOPPED) {
          return;
        }
      }
      const sluice_read_span span = begin_read(0, block);
      const auto* in = static_cast<const float*>(span.data);
      for (uint32_t i = 0; i < span.frames; ++i) {
        collected->samples.push_back(in[size_t{i} * channels_]);
      }
      collected->frames += span.frames;
      end_read(0, span.frames);
      sluice_mark mark;
      while (next_mark(0, span.position + span.frames, mark)) collected->marks.push_back(mark);
      if ((span.flags & SLUICE_INPUT_ENDED) != 0) return;
    }
  }

 private:
  uint32_t channels_ = 1;
};

// Passes its input on unchanged.
class CopyFilter final : public Filter<CopyFilter> {
 public:
  static constexpr Info kInfo{"test.copy", "Copy", "Copies."};
  void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    std::copy_n(in, size_t{frames} * channels, out);
  }
};

// Holds back until `hold` frames are there, once.
class HoldFilter final : public Passive<HoldFilter> {
 public:
  static constexpr Info kInfo{"test.hold", "Hold", "Holds."};
  static constexpr const auto& kPorts = kFilterPorts;
  enum { kHold };
  static constexpr sluice_parameter kParameters[] = {
      sluice::integer("hold", "frames", 0, 1e9, 1000, "Held until so many are there.")};
  void prepare(Setup& setup) {
    hold_ = static_cast<uint32_t>(number(kHold));
    channels_ = setup.channels();
    setup.port(0).hold_frames = hold_;
  }
  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    sluice_output& out = *block.outputs;
    const bool is_ended = (in.flags & SLUICE_INPUT_ENDED) != 0;
    if (!is_open_ && in.frames < hold_ && !is_ended) {
      in.wanted = hold_;
      return SLUICE_STATUS_NEED_INPUT;
    }
    is_open_ = true;
    const uint32_t frames = std::min(in.frames, out.frames);
    std::copy_n(static_cast<const float*>(in.data), size_t{frames} * channels_,
                static_cast<float*>(out.data));
    in.consumed = out.produced = frames;
    return is_ended && frames == in.frames ? SLUICE_STATUS_DRAINED : SLUICE_STATUS_CONTINUE;
  }

 private:
  uint32_t hold_ = 0, channels_ = 1;
  bool is_open_ = false;
};

}  // namespace sluice::tests
