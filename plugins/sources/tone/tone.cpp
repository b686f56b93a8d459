// source.tone: test signals.
#include <algorithm>
#include <array>
#include <optional>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

#include "plugins/sources/tone/signal_generator.hpp"

namespace {

constexpr double kDayMs = 86'400'000.0;
constexpr uint32_t kOut = 0;

class SourceTone : public sluice::Threaded<SourceTone> {
 public:
  static constexpr sluice::Info kInfo{
      "source.tone", "Test signal",
      "Makes a test signal. sine; sweep: 20 Hz to 20 kHz, the same time for every octave, in "
      "duration_ms or else in 10 s again and again; white and pink noise, independent in each "
      "channel, whose level is its RMS (all others: the peak); silence; impulse: one frame a "
      "second, beginning with the first; counter: numbers every frame, for checks that nothing was "
      "lost. The counter is always s16 stereo: frame n, counted from 1, holds n modulo 65536 on "
      "the "
      "left and n / 65536 on the right (as unsigned 16-bit numbers); all others are f32."};
  enum Parameter : uint32_t {
    kWave,
    kFrequencyHz,
    kLevelDb,
    kChannels,
    kRateHz,
    kDurationMs,
    kLiveSource,
    kBlockMs
  };
  static constexpr sluice_parameter kParameters[] = {
      sluice::choice("wave", kWaveNames, 0, "The signal."),
      sluice::number("frequency_hz", "Hz", 0.01, SLUICE_MAX_RATE_HZ / 2.0, 1000,
                     "Frequency of the sine, at most half the rate.", sluice::kLive),
      sluice::number("level_db", "dB", -144, 0, -20,
                     "Level below full scale of all but silence and counter.", sluice::kLive),
      sluice::integer("channels", nullptr, 1, SLUICE_MAX_CHANNELS, 2,
                      "Number of channels; the counter always has 2."),
      sluice::integer("rate_hz", "Hz", SLUICE_MIN_RATE_HZ, SLUICE_MAX_RATE_HZ, 48000,
                      "Frames per second."),
      sluice::number("duration_ms", "ms", 0, 365 * kDayMs, 0, "Ends after this long; 0: never."),
      sluice::boolean(
          "live", false,
          "Comes in blocks at the pace of the clock, as from a microphone; otherwise as "
          "fast as it is read."),
      sluice::number("block_ms", "ms", 0.5, 1000, 10, "live: how much comes at once.")};
  enum Statistic : uint32_t { kFrames };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("frames", "frames", "Frames made.")};
  static constexpr sluice_format_offer kOffers[] = {
      sluice::offer(SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_F32) | SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S16))};
  static constexpr sluice_port kPorts[] = {sluice::output("out", "The signal.", kOffers)};

  void describe(uint32_t, const sluice_format*, sluice_port_info& info) {
    const uint32_t rate_hz = integer(kRateHz);
    if (wave() == Wave::kSine && number(kFrequencyHz) > rate_hz / 2.0) {
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                            "frequency_hz must be at most half of rate_hz, which is " +
                                std::to_string(rate_hz) + "; choose a lower one."};
    }
    const bool is_counter = wave() == Wave::kCounter;
    offer_ =
        sluice::offer({sizeof(sluice_format), is_counter ? SLUICE_SAMPLE_S16 : SLUICE_SAMPLE_F32,
                       is_counter ? 2 : integer(kChannels), rate_hz});
    info.offers = &offer_;
    info.offer_count = 1;
    if (boolean(kLiveSource)) {
      info.clock = SLUICE_CLOCK_MONOTONIC;
      info.flags |= SLUICE_PORT_LIVE;
    }
  }

  void prepare(sluice::Setup& setup) {
    rate_hz_ = setup.rate_hz();
    frame_bytes_ = sluice::frame_bytes(setup.format());
    const double duration_ms = number(kDurationMs);
    end_ = duration_ms > 0 ? sluice::frames_of_ms(duration_ms, rate_hz_) : UINT64_MAX;
    signal_.emplace(SignalGenerator::Settings{.wave = wave(),
                                              .frequency_hz = number(kFrequencyHz),
                                              .level_db = number(kLevelDb),
                                              .sweep_s = duration_ms > 0 ? duration_ms / 1000 : 10,
                                              .channels = setup.channels(),
                                              .rate_hz = rate_hz_,
                                              .seed = setup.seed()});
    block_frames_ = boolean(kLiveSource) ? static_cast<uint32_t>(std::max<uint64_t>(
                                               sluice::frames_of_ms(number(kBlockMs), rate_hz_), 1))
                                         : setup.block_frames();
    lost_.resize(size_t{block_frames_} * frame_bytes_);
    setup.port(kOut).max_block_frames = block_frames_;
  }

  void release() noexcept { signal_.reset(); }

  void run() {
    if (boolean(kLiveSource)) {
      run_live();
    } else {
      run_free();
    }
  }

 private:
  Wave wave() const { return static_cast<Wave>(choice(kWave)); }

  void take_parameters() {
    signal_->set_frequency_hz(number(kFrequencyHz));
    signal_->set_level_db(number(kLevelDb));
  }

  void run_free() {
    for (uint64_t made = 0; made < end_;) {
      const auto frames = static_cast<uint32_t>(std::min<uint64_t>(block_frames_, end_ - made));
      std::array items{on_output(kOut, frames), on_parameters()};
      if (wait(items) != SLUICE_OK) return;
      if (items[1].ready) take_parameters();
      if (!items[0].ready) continue;
      made += write(frames, SLUICE_NO_TIME);
    }
  }

  // A block is handed over when its last frame is over. What the ring has no room for is lost, as
  // it would be from a device.
  void run_live() {
    const int64_t start_ns = now_ns();
    for (uint64_t made = 0; made < end_;) {
      const auto frames = static_cast<uint32_t>(std::min<uint64_t>(block_frames_, end_ - made));
      const int64_t due_ns = start_ns + sluice::ns_of_frames(made + frames, rate_hz_);
      const sluice_result woken = wait(on_parameters(), due_ns);
      if (woken == SLUICE_OK) {
        take_parameters();
        continue;
      }
      if (woken != SLUICE_ERROR_TIMEOUT) return;
      uint32_t written = 0, offered = 1;
      for (; written < frames && offered > 0; written += offered) {
        const int64_t capture_ns = start_ns + sluice::ns_of_frames(made + written, rate_hz_);
        offered = write(frames - written, capture_ns);
      }
      if (written < frames) {
        signal_->generate(lost_.data(), frames - written);
        drop(kOut, frames - written);
      }
      made += frames;
    }
  }

  uint32_t write(uint32_t frames, int64_t capture_ns) {
    const sluice_write_span span = begin_write(kOut, frames);
    signal_->generate(span.data, span.frames);
    end_write(kOut, span.frames, capture_ns);
    add(kFrames, span.frames);
    return span.frames;
  }

  sluice_format_offer offer_{};
  std::optional<SignalGenerator> signal_;
  std::vector<std::byte> lost_;
  uint32_t rate_hz_ = 0, frame_bytes_ = 0, block_frames_ = 0;
  uint64_t end_ = 0;
};

}  // namespace

SLUICE_PLUGIN("Test signal source", "1.0.0", "Sluice", "MIT", SourceTone);
