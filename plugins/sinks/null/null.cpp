// sink.null: takes audio and forgets it.
#include <algorithm>
#include <limits>
#include <sluice/sluice.hpp>

namespace {

constexpr uint32_t kIn = 0;
constexpr const char* kPaces[] = {"free", "real-time"};
constexpr uint32_t kPeriodsPerSecond = 100;
constexpr uint32_t kBufferedPeriods = 2;

class SinkNull : public sluice::Threaded<SinkNull> {
 public:
  static constexpr sluice::Info kInfo{
      "sink.null", "Nothing",
      "Takes audio and forgets it. With pace real-time it takes it at its rate, as a sound card "
      "would: it begins when 20 ms are there, and takes every 10 ms what is due by then. Frames "
      "that "
      "are missing are counted and not waited for, so it never falls behind the clock."};
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
    if (choice(kPace) == 0) return;
    setup.port(kIn).max_block_frames = period_frames_;
    setup.port(kIn).target_ms = 1000.0 * kBufferedPeriods / kPeriodsPerSecond;
  }

  void run() {
    if (choice(kPace) == 0) {
      run_free();
    } else {
      run_real_time();
    }
  }

 private:
  struct Taken {
    uint32_t frames = 0;
    uint32_t flags = 0;  // SLUICE_INPUT_* of what was there last
  };

  Taken take(uint32_t maximum) {
    Taken taken;
    for (uint32_t offered = 1; taken.frames < maximum && offered > 0; taken.frames += offered) {
      const sluice_read_span span = begin_read(kIn, maximum - taken.frames);
      end_read(kIn, span.frames);
      offered = span.frames;
      taken.flags = span.flags;
    }
    add(kFrames, taken.frames);
    return taken;
  }

  void run_free() {
    constexpr uint32_t kAll = std::numeric_limits<uint32_t>::max();
    while (wait(on_input(kIn)) == SLUICE_OK) {
      if (take(kAll).flags & SLUICE_INPUT_ENDED) return;
    }
  }

  void run_real_time() {
    if (wait(on_input(kIn, kBufferedPeriods * period_frames_)) != SLUICE_OK) return;
    const int64_t start_ns = now_ns();
    bool was_starving = false;
    for (uint64_t due = period_frames_;; due += period_frames_) {
      const int64_t deadline_ns = start_ns + sluice::ns_of_frames(due, rate_hz_);
      if (sleep_until(deadline_ns) != SLUICE_ERROR_TIMEOUT) return;
      const auto [frames, flags] = take(period_frames_);
      const bool is_short = frames < period_frames_;
      if (is_short && (flags & SLUICE_INPUT_ENDED)) return;
      // Deliberate silence is nobody's fault.
      const bool is_starving = is_short && !(flags & SLUICE_INPUT_IDLE);
      if (is_starving) add(kUnderrunFrames, period_frames_ - frames);
      if (is_starving && !was_starving) {
        add(kUnderruns);
        tell_upstream(kIn, SLUICE_UPSTREAM_STARVED);
      }
      was_starving = is_starving;
    }
  }

  uint32_t rate_hz_ = 0, period_frames_ = 0;
};

}  // namespace

SLUICE_PLUGIN("Null sink", "1.0.0", "Sluice", "MIT", SinkNull);
