// Built against the headers of the first release, beside this file; see README.md.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <sluice/back_off.hpp>
#include <sluice/net.hpp>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

namespace {

constexpr uint32_t kRateHz = 48'000;

// A source with a thread, a stop, statistics, and a level that may change.
class Source : public sluice::Threaded<Source> {
 public:
  static constexpr sluice::Info kInfo{"org.example.first.source", "First source", "Counts."};
  enum Parameter : uint32_t { kFrames, kStep };
  static constexpr sluice_parameter kParameters[] = {
      sluice::integer("length_frames", "frames", 1, 1e9, 48'000, "Ends after so many."),
      sluice::integer("step", nullptr, 1, 100, 7, "From one frame to the next.", sluice::kLive)};
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("made_frames", "frames", "Frames made.")};
  static constexpr sluice_format_offer kOffers[] = {
      sluice::offer({sizeof(sluice_format), SLUICE_SAMPLE_S16, 2, kRateHz})};
  static constexpr sluice_port kPorts[] = {sluice::output("out", "Numbers.", kOffers)};

  void prepare(sluice::Setup& setup) { block_frames_ = setup.block_frames(); }
  void run() {
    uint32_t value = 0;
    for (uint64_t left = integer(kFrames); left != 0;) {
      const auto wanted = static_cast<uint32_t>(std::min<uint64_t>(left, block_frames_));
      std::array items{on_output(0, wanted), on_parameters()};
      if (wait(items) != SLUICE_OK) return;
      if (!items[0].ready) continue;
      const sluice_write_span span = begin_write(0, wanted);
      auto* out = static_cast<int16_t*>(span.data);
      for (uint32_t i = 0; i < span.frames; ++i, value += integer(kStep)) {
        // Never the same again, so that no frame is taken for another.
        *out++ = static_cast<int16_t>(value * 2'654'435'761U >> 16U);
        *out++ = static_cast<int16_t>(value * 2'246'822'519U >> 16U);
      }
      end_write(0, span.frames);
      add(0, span.frames);
      left -= span.frames;
    }
  }

 private:
  uint32_t block_frames_ = 0;
};

// A filter that is late, ramps, and counts.
class Delay : public sluice::Filter<Delay> {
 public:
  static constexpr sluice::Info kInfo{"org.example.first.delay", "First delay",
                                      "Is late by 100 frames."};
  static constexpr uint32_t kLate = 100;
  static constexpr const char* kModes[] = {"on", "off"};
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("gain_db", "dB", -60, 0, 0, "A gain.", sluice::kLive),
      sluice::choice("mode", kModes, 0, "Whether it is at work.")};
  static constexpr sluice_statistic kStatistics[] = {
      sluice::gauge("peak", nullptr, "Highest sample so far.")};

  void prepare(sluice::Setup& setup) {
    late_.assign(size_t{kLate} * setup.channels(), 0.0f);
    at_ = 0;
    peak_ = 0;
    gain_.reset(sluice::from_db(number(0)), setup.rate_hz());
    setup.port(1).latency_frames = kLate;
  }
  void reset() noexcept { std::fill(late_.begin(), late_.end(), 0.0f); }
  void parameter(uint32_t, double gain_db) noexcept { gain_.to(sluice::from_db(gain_db)); }
  void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    for (; frames != 0; --frames) {
      const auto gain = static_cast<float>(gain_.next());
      for (uint32_t c = 0; c < channels; ++c) {
        *out++ = late_[at_] * gain;
        peak_ = std::max(peak_, *in);
        late_[at_] = *in++;
        at_ = (at_ + 1) % late_.size();
      }
    }
    set(0, peak_);
  }

 private:
  std::vector<float> late_;
  size_t at_ = 0;
  float peak_ = 0;
  sluice::Ramp gain_;
};

// A sink that connects, again and again, and holds what comes until somebody takes it.
class Sink : public sluice::Threaded<Sink> {
 public:
  static constexpr sluice::Info kInfo{"org.example.first.sink", "First sink",
                                      "Sends frames to a server.", SLUICE_TYPE_RETRIES};
  static constexpr sluice_parameter kParameters[] = {
      sluice::text("host", "127.0.0.1", "Where the server is."),
      sluice::integer("port", nullptr, 1, 65'535, 4953, "Its port.")};
  static constexpr sluice_format_offer kOffers[] = {
      sluice::offer(SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S16), SLUICE_SAMPLE_S16)};
  static constexpr sluice_port kPorts[] = {sluice::input("in", "What is sent.", kOffers)};

  void prepare(sluice::Setup& setup) {
    net_ = {host(), extension<sluice_net_host>(SLUICE_NET_HOST)};
    frame_bytes_ = sluice::frame_bytes(setup.format());
    back_off_ = sluice::BackOff(setup.seed());
  }
  void run() {
    sluice::Stream stream;
    for (std::size_t behind = 0;;) {
      if (!stream) {
        sluice_stream_options options{};
        options.struct_size = sizeof(options);
        stream =
            sluice::connect(net_, std::string(text(0)), static_cast<uint16_t>(integer(1)), options);
        std::array items{on_stream(stream.get(), SLUICE_NET_WRITE)};
        if (stream && wait(items) != SLUICE_OK) return;
        if (!stream || stream.info().state != SLUICE_STREAM_OPEN) {
          stream.close();
          std::array retry{on_retry()};
          if (wait(retry, now_ns() + back_off_.next_ns()) == SLUICE_ERROR_STOPPED) return;
        }
        behind = 0;
        continue;
      }
      std::array items{on_stream(stream.get(), SLUICE_NET_WRITE), on_input(0)};
      if (wait(std::span(items).first(1)) != SLUICE_OK) return;
      if (wait(std::span(items).last(1)) != SLUICE_OK) return;
      const sluice_read_span span = begin_read(0, 4096);
      const std::size_t there = std::size_t{span.frames} * frame_bytes_;
      std::size_t sent = 0;
      const auto* bytes = static_cast<const std::byte*>(span.data) + behind;
      const sluice_result result =
          there > behind ? stream.send(bytes, there - behind, sent) : sluice_result{SLUICE_OK};
      end_read(0, static_cast<uint32_t>((behind + sent) / frame_bytes_));
      behind = (behind + sent) % frame_bytes_;
      if (result == SLUICE_ERROR_NETWORK) stream.close();
      if ((span.flags & SLUICE_INPUT_ENDED) && sent + behind >= there) return;
    }
  }

 private:
  sluice::Net net_;
  sluice::BackOff back_off_{0};
  uint32_t frame_bytes_ = 1;
};

}  // namespace

SLUICE_PLUGIN("First", "1.0.0", "Example", "MIT", Source, Delay, Sink);
