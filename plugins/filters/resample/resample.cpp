// filter.resample: another sample rate.
#include <algorithm>
#include <sluice/sluice.hpp>
#include <string>

#include "converter.hpp"

namespace {

constexpr const char* kQualities[] = {"quick", "low", "medium", "high", "very-high"};
constexpr unsigned kRecipes[] = {SOXR_QQ, SOXR_LQ, SOXR_MQ, SOXR_HQ, SOXR_VHQ};
constexpr uint32_t kHigh = 3;
enum Parameter : uint32_t { kRateHz, kQuality };

class Resample : public sluice::Passive<Resample> {
 public:
  static constexpr sluice::Info kInfo{
      "filter.resample", "Resample",
      "Changes the sample rate, with libsoxr. Every output frame lies at its exact time of the "
      "input, so nothing is shifted: n frames become n times the ratio of the rates, rounded up, "
      "however long it runs. What the filters must see first is held back for 10 to 20 ms at "
      "usual rates. Where frames are missing it begins anew: nothing rings across. Audio that has "
      "the rate already is copied.",
      SLUICE_TYPE_ADAPTS_RATE};
  static constexpr sluice_parameter kParameters[] = {
      sluice::integer("rate_hz", "Hz", SLUICE_MIN_RATE_HZ, SLUICE_MAX_RATE_HZ, 48000,
                      "Sample rate to convert to.", sluice::kRequired),
      sluice::choice("quality", kQualities, kHigh,
                     "soxr's recipe. quick: cubic interpolation; low: 16 bits with a wide "
                     "roll-off; medium: 16 bits; high: 20 bits; very-high: 28 bits, more than f32 "
                     "can hold.")};
  static constexpr sluice_port kPorts[] = {
      sluice::input("in", "Audio at any rate.", sluice::kOfferF32),
      sluice::output("out", "The same audio at the rate asked for.", sluice::kOfferF32,
                     SLUICE_PORT_SAME_SAMPLE_FORMAT | SLUICE_PORT_SAME_CHANNELS)};

  void describe(uint32_t port, const sluice_format*, sluice_port_info& info) {
    if (port != kOut) return;
    const uint32_t rate_hz = integer(kRateHz);
    offer_ = sluice::offer(SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_F32), SLUICE_SAMPLE_F32, 1,
                           SLUICE_MAX_CHANNELS, rate_hz, rate_hz);
    info.offers = &offer_;
    info.offer_count = 1;
  }

  void prepare(sluice::Setup& setup) {
    from_hz_ = setup.rate_hz(kIn);
    to_hz_ = setup.rate_hz(kOut);
    channels_ = setup.channels();
    has_begun_ = false;
    if (from_hz_ == to_hz_) return;
    if (const char* why =
            converter_.prepare(from_hz_, to_hz_, channels_, kRecipes[choice(kQuality)])) {
      throw sluice::Failure{SLUICE_ERROR_UNSUPPORTED,
                            "soxr cannot convert " + std::to_string(from_hz_) + " Hz into " +
                                std::to_string(to_hz_) + " Hz: " + why + "."};
    }
    setup.port(kIn).hold_frames = converter_.hold_frames();
    setup.port(kOut).max_block_frames =
        static_cast<uint32_t>(resample::frames_at(setup.block_frames(), from_hz_, to_hz_));
  }

  void reset() noexcept {
    if (has_begun_ && from_hz_ != to_hz_) converter_.forget();
    has_begun_ = false;
  }

  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    sluice_output& out = *block.outputs;
    if (!has_begun_) begin(in, out);
    tell_capture_time(in, out);
    uint32_t mark = 0;
    bool is_full = false;
    while (!is_full) {
      for (; mark < in.mark_count && in.marks[mark].position <= in.position + in.consumed; ++mark) {
        forward(in.marks[mark]);
      }
      if (is_breaking_) {
        is_full = !finish_segment(out);
        if (!is_full) begin_segment();
        continue;
      }
      uint32_t stop = in.frames;
      if (mark < in.mark_count) {
        stop =
            static_cast<uint32_t>(std::min<uint64_t>(stop, in.marks[mark].position - in.position));
      }
      if (from_hz_ == to_hz_) {
        is_full = !copy(in, out, stop);
        if (!is_full && stop == in.frames) break;
        continue;
      }
      if (!drain(out)) {
        is_full = true;
      } else if (in.consumed < stop) {
        put(in, std::min(stop - in.consumed, resample::Converter::kMaxPutFrames));
      } else if (stop == in.frames) {
        break;
      }
    }
    if (is_full) return SLUICE_STATUS_NEED_ROOM;
    if (!(in.flags & SLUICE_INPUT_ENDED)) return SLUICE_STATUS_CONTINUE;
    return finish_segment(out) ? SLUICE_STATUS_DRAINED : SLUICE_STATUS_NEED_ROOM;
  }

 private:
  static constexpr uint32_t kIn = 0, kOut = 1;

  void begin(const sluice_input& in, const sluice_output& out) noexcept {
    has_begun_ = true;
    is_breaking_ = false;
    first_in_ = in.position;
    first_out_ = out.position;
    in_frames_ = out_frames_ = 0;
    told_ = 0;
    if (from_hz_ != to_hz_) aim();
  }

  // Frames of the output that begin before `frames` frames of the input are over.
  uint64_t output_of(uint64_t frames) const {
    return resample::frames_at(frames, from_hz_, to_hz_);
  }

  // The next frame out lies at its place between the frames that come in from now on.
  void aim() noexcept {
    const uint64_t place = output_of(in_frames_);  // of the output's next frame
    // Where that is in the converter's own output; both streams are whole there at once, or as
    // near to it as frames lie.
    const double ahead_s =
        static_cast<double>(place) / to_hz_ - static_cast<double>(in_frames_) / from_hz_;
    const uint64_t put = converter_.put_frames();
    const uint64_t whole = put / from_hz_ * to_hz_;
    const double rest = static_cast<double>(put % from_hz_) * to_hz_ / from_hz_ + ahead_s * to_hz_;
    converter_.skip_until(whole + static_cast<uint64_t>(std::llround(rest)));
  }

  void begin_segment() noexcept {
    is_breaking_ = false;
    if (from_hz_ == to_hz_) return;
    converter_.forget();
    aim();
  }

  void tell_capture_time(const sluice_input& in, sluice_output& out) const noexcept {
    if (in.capture_ns == SLUICE_NO_TIME) return;
    const uint64_t whole_s = out_frames_ / to_hz_;
    const double here = static_cast<double>(out_frames_ % to_hz_) * from_hz_ / to_hz_;
    const double frames =
        here -
        static_cast<double>(static_cast<int64_t>(in.position - first_in_ - whole_s * from_hz_));
    out.capture_ns = in.capture_ns + std::llround(frames * 1e9 / from_hz_);
  }

  void forward(const sluice_mark& mark_in) noexcept {
    if (mark_in.kind == SLUICE_MARK_END) return;
    const uint64_t at = std::max(mark_in.position, first_in_) - first_in_;
    const bool ends = mark_in.kind == SLUICE_MARK_SILENCE_ENDS;
    // Silence ends with the last frame that is silent, and begins with the first.
    uint64_t place =
        ends ? at / from_hz_ * to_hz_ + at % from_hz_ * to_hz_ / from_hz_ : output_of(at);
    place = std::max({place, told_, out_frames_});
    told_ = place;
    uint64_t value = mark_in.value;
    if (mark_in.kind == SLUICE_MARK_GAP) value = output_of(at + value) - output_of(at);
    if (mark_in.kind == SLUICE_MARK_DISCONTINUITY) {
      value = output_of(value);
      is_breaking_ = true;
    }
    mark(kOut, mark_in.kind, first_out_ + place, value, mark_in.capture_ns);
  }

  float* room_in(const sluice_output& out) const {
    return static_cast<float*>(out.data) + size_t{out.produced} * channels_;
  }
  void note(sluice_output& out, uint32_t frames) noexcept {
    out.produced += frames;
    out_frames_ += frames;
  }

  // Whether all was copied.
  bool copy(sluice_input& in, sluice_output& out, uint32_t stop) noexcept {
    const uint32_t frames = std::min(stop - in.consumed, out.frames - out.produced);
    const float* from = static_cast<const float*>(in.data) + size_t{in.consumed} * channels_;
    std::copy_n(from, size_t{frames} * channels_, room_in(out));
    note(out, frames);
    in.consumed += frames;
    in_frames_ += frames;
    return in.consumed == stop;
  }

  void put(sluice_input& in, uint32_t frames) noexcept {
    converter_.put(static_cast<const float*>(in.data) + size_t{in.consumed} * channels_, frames);
    in.consumed += frames;
    in_frames_ += frames;
  }

  // Hands out what is ready; whether that was all of it.
  bool drain(sluice_output& out) noexcept {
    const uint64_t left = output_of(in_frames_) - out_frames_;
    if (left == 0) return true;
    const auto room = static_cast<uint32_t>(std::min<uint64_t>(out.frames - out.produced, left));
    if (room == 0) return false;
    const uint32_t done = converter_.take(room_in(out), room);
    note(out, done);
    return done < room || done == left;
  }

  // Hands out all that belongs to the input so far; whether there was room.
  bool finish_segment(sluice_output& out) noexcept {
    if (from_hz_ == to_hz_) return true;
    const uint64_t end = output_of(in_frames_);
    while (out_frames_ < end) {
      const auto room =
          static_cast<uint32_t>(std::min<uint64_t>(out.frames - out.produced, end - out_frames_));
      if (room == 0) return false;
      const uint32_t done = converter_.take(room_in(out), room);
      note(out, done);
      if (done < room) converter_.put(nullptr, resample::Converter::kMaxPutFrames);
    }
    return true;
  }

  sluice_format_offer offer_{};
  uint32_t from_hz_ = 48000, to_hz_ = 48000, channels_ = 1;
  resample::Converter converter_;

  bool has_begun_ = false;
  bool is_breaking_ = false;  // frames are missing here; what came before is still to be handed out
  uint64_t first_in_ = 0, first_out_ = 0;    // positions
  uint64_t in_frames_ = 0, out_frames_ = 0;  // since these
  uint64_t told_ = 0;                        // output frame of the newest mark
};

}  // namespace

SLUICE_PLUGIN("Resample", "1.0.0", "Sluice", "MIT", Resample);
