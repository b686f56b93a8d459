// Node types for tests of the engine, made in the test program itself.
#pragma once

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

namespace sluice::tests {

inline constexpr sluice_format_offer kF32Only[] = {
    offer(SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_F32), SLUICE_SAMPLE_F32)};

// What one sink or filter of a test saw.
struct Collected {
  std::vector<float> samples;  // of the first channel
  std::vector<sluice_mark> marks;
  std::vector<sluice_event> events;
  std::vector<uint64_t> event_positions;  // of the block that each event came with
  std::vector<int64_t> capture_ns;        // of each frame
  uint64_t frames = 0;
};

// Where they put it, by their `slot` parameter. Cleared by each test.
inline std::array<Collected, 16> collected;

// Writes first, first + 1, first + 2 ... as f32 frames, all channels alike (exact up to 2^24).
class CountingSource final : public Threaded<CountingSource> {
 public:
  static constexpr Info kInfo{"test.source", "Counter", "Counts."};
  static constexpr sluice_port kPorts[] = {output("out", "Numbers.", kF32Only)};
  enum { kFrames, kBlock, kPacedHz, kFirst, kStartMs, kStallAt, kStallMs, kFailAt, kStep };
  static constexpr sluice_parameter kParameters[] = {
      sluice::integer("frames", "frames", 0, 1e15, 1000, "How many."),
      sluice::integer("block", "frames", 1, 65536, 480, "At once."),
      sluice::integer("paced_hz", "Hz", 0, 768000, 0, "0: as fast as it goes."),
      sluice::number("first", "", -1e9, 1e9, 1, "The first number."),
      sluice::number("start_ms", "ms", 0, 1e9, 0, "Sleeps before it begins."),
      sluice::integer("stall_at", "frames", 0, 1e15, 0, "Where it stalls; 0: nowhere."),
      sluice::number("stall_ms", "ms", 0, 1e9, 0, "For how long."),
      sluice::integer("fail_at", "frames", 0, 1e15, 0, "Where it fails; 0: nowhere."),
      sluice::number("step", "", -1e9, 1e9, 1, "From number to number.")};

  void prepare(Setup& setup) { channels_ = setup.channels(); }
  void run() {
    const auto total = static_cast<uint64_t>(number(kFrames));
    const auto stall_at = static_cast<uint64_t>(number(kStallAt));
    const auto fail_at = static_cast<uint64_t>(number(kFailAt));
    const double first = number(kFirst);
    const double step = number(kStep);
    const uint32_t block = integer(kBlock);
    const uint32_t paced_hz = integer(kPacedHz);
    if (number(kStartMs) > 0 && sleep_until(now_ns() + ms(kStartMs)) == SLUICE_ERROR_STOPPED)
      return;
    int64_t start_ns = now_ns();
    bool has_stalled = false;
    for (uint64_t done = 0; done < total;) {
      if (fail_at != 0 && done >= fail_at) throw Failure{SLUICE_ERROR_IO, "The disk is on fire."};
      if (stall_at != 0 && done >= stall_at && !has_stalled) {
        has_stalled = true;
        start_ns += ms(kStallMs);
      }
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
        const auto value = static_cast<float>(first + step * static_cast<double>(done + i));
        for (uint32_t c = 0; c < channels_; ++c) *out++ = value;
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
  int64_t ms(uint32_t index) const { return static_cast<int64_t>(number(index) * 1e6); }
  uint32_t channels_ = 1;
};

// A full-scale sine, endless, paced or as fast as it goes.
class SineSource final : public Threaded<SineSource> {
 public:
  static constexpr Info kInfo{"test.sine", "Sine", "Sings."};
  static constexpr sluice_port kPorts[] = {output("out", "Sine.", kF32Only)};
  enum { kHz, kPacedHz, kFrames };
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("hz", "Hz", 0, 20000, 1000, "Pitch."),
      sluice::integer("paced_hz", "Hz", 0, 768000, 0, "0: as fast as it goes."),
      sluice::integer("frames", "frames", 0, 1e15, 1e15, "How many.")};

  static float value(double hz, uint64_t frame) {
    return static_cast<float>(std::sin(2.0 * std::numbers::pi *
                                       std::fmod(hz * static_cast<double>(frame) / 48000.0, 1.0)));
  }
  void prepare(Setup& setup) { channels_ = setup.channels(); }
  void run() {
    const uint32_t paced_hz = integer(kPacedHz);
    const double hz = number(kHz);
    const auto total = static_cast<uint64_t>(number(kFrames));
    const int64_t start_ns = now_ns();
    for (uint64_t done = 0; done < total;) {
      const sluice_result result =
          paced_hz == 0 ? wait(on_output(0, 480))
                        : sleep_until(start_ns + static_cast<int64_t>((done + 480) * 1'000'000'000 /
                                                                      paced_hz));
      if (result == SLUICE_ERROR_STOPPED) return;
      const sluice_write_span span =
          begin_write(0, static_cast<uint32_t>(std::min<uint64_t>(480, total - done)));
      auto* out = static_cast<float*>(span.data);
      for (uint32_t i = 0; i < span.frames; ++i) {
        for (uint32_t c = 0; c < channels_; ++c) *out++ = value(hz, done + i);
      }
      end_write(0, span.frames);
      done += span.frames;
    }
  }

 private:
  uint32_t channels_ = 1;
};

// Numbers, with the marks that a test asks for; `silent_from` to `silent_to` nothing or zeros.
class MarkingSource final : public Threaded<MarkingSource> {
 public:
  static constexpr Info kInfo{"test.marks", "Marker", "Counts and marks."};
  static constexpr sluice_port kPorts[] = {output("out", "Numbers.", kF32Only)};
  enum { kFrames, kSilentFrom, kSilentTo, kZeros, kGapAt, kSilentMs };
  static constexpr sluice_parameter kParameters[] = {
      sluice::integer("frames", "frames", 0, 1e15, 1000, "How many."),
      sluice::integer("silent_from", "frames", 0, 1e15, 0, "0: never."),
      sluice::integer("silent_to", "frames", 0, 1e15, 0, "Where sound begins again."),
      sluice::boolean("zeros", true, "Writes the silence out."),
      sluice::integer("gap_at", "frames", 0, 1e15, 0, "Puts a gap mark there."),
      sluice::number("silent_ms", "ms", 0, 1e9, 0, "Without zeros: how long it is silent.")};

  void prepare(Setup& setup) { channels_ = setup.channels(); }
  void run() {
    const auto total = static_cast<uint64_t>(number(kFrames));
    const auto from = static_cast<uint64_t>(number(kSilentFrom));
    const auto to = static_cast<uint64_t>(number(kSilentTo));
    const auto gap = static_cast<uint64_t>(number(kGapAt));
    uint64_t value = 0;
    for (uint64_t done = 0; done < total;) {
      if (wait(on_output(0, 480)) == SLUICE_ERROR_STOPPED) return;
      uint64_t end = std::min<uint64_t>(total, done + 480);
      for (const uint64_t stop : {from, to, gap}) {
        if (stop > done && stop < end) end = stop;
      }
      const sluice_write_span span = begin_write(0, static_cast<uint32_t>(end - done));
      const bool is_silent = from != 0 && done >= from && done < to;
      auto* out = static_cast<float*>(span.data);
      for (uint32_t i = 0; i < span.frames; ++i, ++value) {
        for (uint32_t c = 0; c < channels_; ++c) {
          *out++ = is_silent ? 0.0F : static_cast<float>(value + 1);
        }
      }
      if (from != 0 && done == from) mark(0, SLUICE_MARK_SILENCE_BEGINS, from);
      if (from != 0 && done == to) mark(0, SLUICE_MARK_SILENCE_ENDS, to);
      if (gap != 0 && done == gap) mark(0, SLUICE_MARK_GAP, gap, 7);
      end_write(0, span.frames);
      done += span.frames;
      if (from != 0 && done == from && !boolean(kZeros)) {
        mark(0, SLUICE_MARK_SILENCE_BEGINS, from);
        if (sleep_until(now_ns() + static_cast<int64_t>(number(kSilentMs) * 1e6)) ==
            SLUICE_ERROR_STOPPED) {
          return;
        }
        mark(0, SLUICE_MARK_SILENCE_ENDS, from);
        done = from + 1;  // past the place of the marks
        value = from;
        total_skipped_ = 1;
      }
    }
  }

 private:
  uint32_t channels_ = 1;
  uint32_t total_skipped_ = 0;
};

// Collects the first channel of all it gets.
class CollectingSink final : public Threaded<CollectingSink> {
 public:
  static constexpr Info kInfo{"test.sink", "Collector", "Collects."};
  static constexpr sluice_port kPorts[] = {input("in", "Audio.", kOfferF32)};
  enum { kPacedHz, kBlock, kSlot, kStopAfter, kBlockAt, kTakesLess };
  static constexpr sluice_parameter kParameters[] = {
      sluice::integer("paced_hz", "Hz", 0, 768000, 0, "0: as fast as it comes."),
      sluice::integer("block", "frames", 1, 1e6, 480, "At once."),
      sluice::integer("slot", "", 0, 15, 0, "Where to put it."),
      sluice::integer("stop_after", "frames", 0, 1e15, 0, "Is done after so many; 0: never."),
      sluice::integer("block_at", "frames", 0, 1e15, 0, "Reads no more after so many; 0: never."),
      sluice::boolean("takes_less", false, "Consumes a part of what it is offered.")};

  void prepare(Setup& setup) {
    channels_ = setup.channels();
    setup.port(0).max_block_frames = integer(kBlock);
    setup.port(0).hold_frames = integer(kBlock);
  }
  void run() {
    Collected& own = collected[integer(kSlot)];
    const uint32_t paced_hz = integer(kPacedHz);
    const uint32_t block = integer(kBlock);
    const auto stop_after = static_cast<uint64_t>(number(kStopAfter));
    const auto block_at = static_cast<uint64_t>(number(kBlockAt));
    const int64_t start_ns = now_ns();
    uint64_t taken = 0;
    uint32_t turn = 0;
    for (;;) {
      if (wait(on_input(0, block)) == SLUICE_ERROR_STOPPED) return;
      if (paced_hz != 0) {
        taken += block;
        if (sleep_until(start_ns + static_cast<int64_t>(taken * 1'000'000'000 / paced_hz)) ==
            SLUICE_ERROR_STOPPED) {
          return;
        }
      }
      if (block_at != 0 && own.frames >= block_at) {
        // Waits for what never comes.
        while (sleep_until(SLUICE_FOREVER) != SLUICE_ERROR_STOPPED) {
        }
        return;
      }
      const sluice_read_span span = begin_read(0, block);
      uint32_t frames = span.frames;
      if (boolean(kTakesLess) && frames > 1) frames = 1 + (++turn * 7919) % frames;
      const auto* in = static_cast<const float*>(span.data);
      for (uint32_t i = 0; i < frames; ++i) {
        own.samples.push_back(in[size_t{i} * channels_]);
        own.capture_ns.push_back(span.capture_ns == SLUICE_NO_TIME
                                     ? SLUICE_NO_TIME
                                     : span.capture_ns + int64_t{i} * 1'000'000'000 / 48000);
      }
      own.frames += frames;
      const uint64_t end = span.position + frames;
      end_read(0, frames);
      sluice_mark mark;
      while (next_mark(0, end, mark)) own.marks.push_back(mark);
      if ((span.flags & SLUICE_INPUT_ENDED) != 0 && frames == span.frames) return;
      if (stop_after != 0 && own.frames >= stop_after) return;
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

// Copies, notes marks and events, and tells upstream when it sees `tell_at` frames.
class NotingFilter final : public Passive<NotingFilter> {
 public:
  static constexpr Info kInfo{"test.noting", "Noting", "Copies and notes."};
  static constexpr const auto& kPorts = kFilterPorts;
  static constexpr uint32_t kTypeFlags = SLUICE_TYPE_EQUAL_COUNTS;
  enum { kSlot, kTellAt, kKnob, kFailAt, kPart };
  static constexpr sluice_parameter kParameters[] = {
      sluice::integer("slot", "", 0, 15, 15, "Where to note; 15: where nobody looks."),
      sluice::integer("tell_at", "frames", 0, 1e15, 0, "Tells upstream there; 0: never."),
      sluice::number("knob", "", -1e9, 1e9, 0, "A live parameter.", SLUICE_PARAMETER_LIVE),
      sluice::integer("fail_at", "frames", 0, 1e15, 0, "Fails there; 0: never."),
      sluice::boolean("part", false, "Takes odd parts of what it is offered.")};
  void prepare(Setup& setup) {
    channels_ = setup.channels();
    own_ = integer(kSlot) == 15 ? &unseen_ : &collected[integer(kSlot)];
    own_->marks.reserve(1024);
    own_->events.reserve(1024);
    own_->event_positions.reserve(1024);
    tell_at_ = static_cast<uint64_t>(number(kTellAt));
    fail_at_ = static_cast<uint64_t>(number(kFailAt));
    takes_part_ = boolean(kPart);
  }
  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    sluice_output& out = *block.outputs;
    for (uint32_t i = 0; i < block.event_count; ++i) {
      own_->events.push_back(block.events[i]);
      own_->event_positions.push_back(in.position);
    }
    uint32_t frames = std::min(in.frames, out.frames);
    if (takes_part_ && frames > 1) frames = 1 + (++turn_ * 7919) % frames;
    std::copy_n(static_cast<const float*>(in.data), size_t{frames} * channels_,
                static_cast<float*>(out.data));
    for (uint32_t m = 0; m < in.mark_count; ++m) {
      if (in.marks[m].position <= in.position + frames) own_->marks.push_back(in.marks[m]);
    }
    in.consumed = out.produced = frames;
    own_->frames += frames;
    if (tell_at_ != 0 && own_->frames >= tell_at_) {
      tell_upstream(0, SLUICE_UPSTREAM_RECONNECTED);
      tell_upstream(0, SLUICE_UPSTREAM_ASLEEP);
      tell_upstream(0, SLUICE_UPSTREAM_AWAKE);
      tell_at_ = 0;
    }
    if (fail_at_ != 0 && own_->frames >= fail_at_) {
      host()->fail(host(), SLUICE_ERROR_INTERNAL, "The filter has burst.");
      return SLUICE_STATUS_FAILED;
    }
    return (in.flags & SLUICE_INPUT_ENDED) != 0 && frames == in.frames ? SLUICE_STATUS_DRAINED
                                                                       : SLUICE_STATUS_CONTINUE;
  }

 private:
  Collected* own_ = nullptr;
  Collected unseen_;
  uint64_t tell_at_ = 0, fail_at_ = 0;
  uint32_t channels_ = 1, turn_ = 0;
  bool takes_part_ = false;
};

// Late by `latency` frames: zeros first, then the input; behind its end the rest.
class LateFilter final : public Passive<LateFilter> {
 public:
  static constexpr Info kInfo{"test.late", "Late", "Delays."};
  static constexpr const auto& kPorts = kFilterPorts;
  static constexpr uint32_t kTypeFlags = SLUICE_TYPE_EQUAL_COUNTS;
  enum { kLatency };
  static constexpr sluice_parameter kParameters[] = {
      sluice::integer("latency", "frames", 0, 1e6, 100, "Delay.")};
  void prepare(Setup& setup) {
    channels_ = setup.channels();
    latency_ = static_cast<uint32_t>(number(kLatency));
    line_.assign(size_t{latency_} * channels_, 0.0F);
    left_ = latency_;
    setup.port(1).latency_frames = latency_;
  }
  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    sluice_output& out = *block.outputs;
    const uint32_t frames = std::min(in.frames, out.frames);
    const auto* from = static_cast<const float*>(in.data);
    auto* to = static_cast<float*>(out.data);
    for (size_t i = 0; i < size_t{frames} * channels_; ++i) to[i] = pass(from[i]);
    in.consumed = out.produced = frames;
    if ((in.flags & SLUICE_INPUT_ENDED) == 0 || frames != in.frames) return SLUICE_STATUS_CONTINUE;
    const uint32_t rest = std::min(left_, out.frames - frames);
    for (size_t i = 0; i < size_t{rest} * channels_; ++i)
      to[size_t{frames} * channels_ + i] = pass(0);
    out.produced += rest;
    left_ -= rest;
    return left_ == 0 ? SLUICE_STATUS_DRAINED : SLUICE_STATUS_NEED_ROOM;
  }

 private:
  float pass(float value) {
    if (line_.empty()) return value;
    std::swap(value, line_[at_]);
    at_ = (at_ + 1) % line_.size();
    return value;
  }
  std::vector<float> line_;
  size_t at_ = 0;
  uint32_t latency_ = 0, left_ = 0, channels_ = 1;
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

// out = a, both = a - b; needs as much of b as of a. For joins by node rather than by sum.
class PairFilter final : public Passive<PairFilter> {
 public:
  static constexpr Info kInfo{"test.pair", "Pair", "Subtracts."};
  static constexpr sluice_port kPorts[] = {
      input("a", "One.", kF32Only), input("b", "The other.", kF32Only),
      output("out", "a.", kF32Only, SLUICE_PORT_SAME_FORMAT),
      output("both", "a - b.", kF32Only, SLUICE_PORT_SAME_FORMAT)};
  void prepare(Setup& setup) { channels_ = setup.channels(); }
  sluice_status process(sluice_block& block) noexcept {
    sluice_input& a = block.inputs[0];
    sluice_input& b = block.inputs[1];
    sluice_output& out = block.outputs[0];
    sluice_output& both = block.outputs[1];
    const uint32_t frames = std::min({a.frames, b.frames, out.frames, both.frames});
    const auto* from_a = static_cast<const float*>(a.data);
    const auto* from_b = static_cast<const float*>(b.data);
    for (size_t i = 0; i < size_t{frames} * channels_; ++i) {
      static_cast<float*>(out.data)[i] = from_a[i];
      static_cast<float*>(both.data)[i] = from_a[i] - from_b[i];
    }
    a.consumed = b.consumed = out.produced = both.produced = frames;
    const auto is_over = [&](const sluice_input& in) {
      return (in.flags & SLUICE_INPUT_ENDED) != 0 && frames == in.frames;
    };
    return is_over(a) || is_over(b) ? SLUICE_STATUS_DRAINED : SLUICE_STATUS_CONTINUE;
  }

 private:
  uint32_t channels_ = 1;
};

}  // namespace sluice::tests
