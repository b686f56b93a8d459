// sink.null: takes audio and forgets it.
#include <algorithm>
#include <limits>
#include <sluice/sluice.hpp>

namespace {

constexpr uint32_t kIn = 0;
constexpr const char* kPaces[] = {"free", "real-time"};
constexpr uint32_t kPeriodsPerSecond = 100;

class SinkNull : public sluice::Threaded<SinkNull> {
 public:
  static constexpr sluice::Info kInfo{
      "sink.null", "Nothing",
      "Takes audio and forgets it. With pace real-time it takes it at its rate, as a sound card "
      "would, from the first frame on: every 10 ms what is due by then. Frames that are missing "
      "are counted and not waited for, so it never falls behind the clock."};
  enum Parameter : uint32_t { kPace };
  static constexpr sluice_parameter kParameters[] = {sluice::choice(
      "pace", kPaces, 0, "free: as fast as it comes. real-time: at the rate of the audio.")};
  enum Statistic : uint32_t { kFrames, kUnderruns, kUnderrunFrames };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("frames", "frames", "Frames taken."),
      sluice::counter("underruns", nullptr, "How often frames were missing when they were due."),
      sluice::counter("underrun_frames", "frames", "Frames that were missing when they were due.")};
  static constexpr sluice_port kPorts[] = {sluice::input("in", "Any audio.", sluice::kOfferAny)};

  void describe(uint32_t, const sluice_format*, sluice_port_info& info) {
    if (choice(kPace) != 0) info.clock = SLUICE_CLOCK_MONOTONIC;
  }

  void prepare(sluice::Setup& setup) {
    rate_hz_ = setup.rate_hz();
    period_frames_ = std::max(rate_hz_ / kPeriodsPerSecond, 1u);
    if (choice(kPace) != 0) setup.port(kIn).max_block_frames = period_frames_;
  }

  void run() {
    if (choice(kPace) == 0) {
      run_free();
    } else {
      run_real_time();
    }
  }

 private:
  void run_free() {
    while (wait(on_input(kIn)) == SLUICE_OK) {
      const sluice_read_span span = begin_read(kIn, std::numeric_limits<uint32_t>::max());
      end_read(kIn, span.frames);
      add(kFrames, span.frames);
      if (span.frames == 0 && (span.flags & SLUICE_INPUT_ENDED)) return;
    }
  }

  void run_real_time() {
    if (wait(on_input(kIn)) != SLUICE_OK) return;
    const int64_t start_ns = now_ns();
    bool is_starving = false;
    for (uint64_t due = period_frames_;; due += period_frames_) {
      const int64_t deadline_ns = start_ns + sluice::ns_of_frames(due, rate_hz_);
      if (sleep_until(deadline_ns) != SLUICE_ERROR_TIMEOUT) return;
      const sluice_read_span span = begin_read(kIn, period_frames_);
      end_read(kIn, span.frames);
      add(kFrames, span.frames);
      if (span.flags & SLUICE_INPUT_ENDED && span.frames < period_frames_) return;
      // Deliberate silence is nobody's fault.
      const bool starves = span.frames < period_frames_ && !(span.flags & SLUICE_INPUT_IDLE);
      if (starves) add(kUnderrunFrames, period_frames_ - span.frames);
      if (starves && !is_starving) {
        add(kUnderruns);
        tell_upstream(kIn, SLUICE_UPSTREAM_STARVED);
      }
      is_starving = starves;
    }
  }

  uint32_t rate_hz_ = 0, period_frames_ = 0;
};

}  // namespace

SLUICE_PLUGIN("Null sink", "1.0.0", "Sluice", "MIT", SinkNull);
