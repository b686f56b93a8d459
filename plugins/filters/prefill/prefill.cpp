// filter.prefill: a cushion of audio before the first frame passes.
#include <algorithm>
#include <cmath>
#include <sluice/sluice.hpp>

namespace {

enum Parameter : uint32_t { kDurationMs };
enum Statistic : uint32_t { kIsFilling, kHeldFrames, kRearms };

class Prefill : public sluice::Passive<Prefill> {
 public:
  static constexpr sluice::Info kInfo{
      "filter.prefill", "Prefill",
      "Holds audio back until duration_ms of it are there, then passes everything unchanged. Put "
      "it in front of a reader that must not run dry, and it starts with a cushion. It fills "
      "again when the cushion is gone: behind a gap or a discontinuity, when silence ends, and "
      "when a reader reconnected, starved or woke up. At the end of the input it lets go of what "
      "it holds.",
      SLUICE_TYPE_EQUAL_COUNTS};
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("duration_ms", "ms", 0, 600000, 1000,
                     "How much audio must be there before any of it passes.")};
  static constexpr sluice_statistic kStatistics[] = {
      sluice::gauge("is_filling", nullptr, "1 while it holds audio back, 0 while it passes."),
      sluice::gauge("held_frames", "frames", "Frames held back now."),
      sluice::counter("rearms", nullptr, "How often it began to fill again.")};
  static constexpr sluice_port kPorts[] = {
      sluice::input("in", "Audio in any format.", sluice::kOfferAny),
      sluice::output("out", "The same audio, later.", sluice::kOfferAny, SLUICE_PORT_SAME_FORMAT)};

  void prepare(sluice::Setup& setup) {
    frame_bytes_ = sluice::frame_bytes(setup.format());
    target_ = static_cast<uint32_t>(std::ceil(number(kDurationMs) * setup.rate_hz() / 1000.0));
    setup.port(0).hold_frames = target_;
    reset();
  }

  // Nothing is stored here: what it holds back stays unconsumed in the ring in front of it.
  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    sluice_output& out = *block.outputs;
    const bool is_last = in.flags & SLUICE_INPUT_ENDED;
    const auto* from = static_cast<const unsigned char*>(in.data);
    auto* to = static_cast<unsigned char*>(out.data);
    const uint32_t most = std::min(in.frames, out.frames);
    uint32_t done = 0;
    uint32_t event = 0;  // the next of block.events
    while (true) {
      if (is_filling_ && (is_last || in.frames - done >= target_)) {
        is_filling_ = false;
        safe_until_ = in.position + done + target_;
        // What a reader said while it had to wait is answered by letting go.
        while (event < block.event_count && block.events[event].frame < done + target_) ++event;
      }
      if (is_filling_) break;
      const uint32_t stop = find_rearm(block, done, most, event);
      // A block of no frames may come without pointers.
      std::copy_n(from + size_t{done} * frame_bytes_, size_t{stop - done} * frame_bytes_,
                  to + size_t{done} * frame_bytes_);
      done = stop;
      if (!is_filling_) break;
      add(kRearms);
    }
    in.consumed = out.produced = done;
    set(kIsFilling, is_filling_ ? 1 : 0);
    set(kHeldFrames, is_filling_ ? in.frames - done : 0);
    if (is_last && done == in.frames) return SLUICE_STATUS_DRAINED;
    if (!is_filling_) return SLUICE_STATUS_CONTINUE;
    in.wanted = target_;
    return SLUICE_STATUS_NEED_INPUT;
  }

  void reset() noexcept {
    is_filling_ = target_ != 0;
    safe_until_ = 0;
  }

 private:
  static bool rearms(const sluice_mark& mark) {
    return mark.kind == SLUICE_MARK_GAP || mark.kind == SLUICE_MARK_DISCONTINUITY ||
           mark.kind == SLUICE_MARK_SILENCE_ENDS;
  }
  static bool rearms(const sluice_event& event) {
    return event.kind == SLUICE_EVENT_UPSTREAM &&
           (event.code == SLUICE_UPSTREAM_RECONNECTED || event.code == SLUICE_UPSTREAM_STARVED ||
            event.code == SLUICE_UPSTREAM_AWAKE);
  }

  // The frame from which on it has to fill again, with is_filling_ set; or `most`.
  uint32_t find_rearm(const sluice_block& block, uint32_t done, uint32_t most,
                      uint32_t& event) noexcept {
    if (target_ == 0) return most;
    const sluice_input& in = *block.inputs;
    uint32_t stop = most;
    // A mark among the frames that were waited for is no news: the cushion was there behind it.
    const uint64_t first = std::max(safe_until_, in.position + done);
    for (const sluice_mark& mark : std::span(in.marks, in.mark_count)) {
      if (!rearms(mark) || mark.position < first || mark.position > in.position + most) continue;
      stop = static_cast<uint32_t>(mark.position - in.position);
      is_filling_ = true;
      break;
    }
    for (; event < block.event_count && block.events[event].frame <= stop; ++event) {
      if (!rearms(block.events[event])) continue;
      stop = std::max(block.events[event].frame, done);
      is_filling_ = true;
      ++event;
      break;
    }
    return stop;
  }

  uint32_t frame_bytes_ = 0;
  uint32_t target_ = 0;      // frames
  uint64_t safe_until_ = 0;  // input position up to which marks do not matter
  bool is_filling_ = true;
};

}  // namespace

SLUICE_PLUGIN("Prefill", "1.0.0", "Sluice", "MIT", Prefill);
