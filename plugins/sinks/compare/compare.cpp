// sink.compare: says whether a stream that went round some way is still the one that set out.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <sluice/frames.hpp>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

namespace {

// So many equal frames in a row mean that the streams are in step again.
constexpr size_t kStepFrames = 64;
constexpr uint32_t kBlockFrames = 4096;

class SinkCompare : public sluice::Threaded<SinkCompare> {
 public:
  static constexpr sluice::Info kInfo{
      "sink.compare", "Compare",
      "Compares what arrives with what set out, frame by frame. The reference is remembered until "
      "the same frames arrive by the other way; frames that never do are counted as lost, frames "
      "with other bits as differing. Both inputs have one format. It ends with `received`."};
  static constexpr sluice_port kPorts[] = {
      sluice::input("reference", "The audio that set out.", sluice::kOfferAny),
      sluice::input("received", "The same audio after its way.", sluice::kOfferAny)};
  enum : uint32_t { kReference, kReceived };
  enum Parameter : uint32_t { kWindowMs };
  static constexpr sluice_parameter kParameters[] = {sluice::number(
      "window_ms", "ms", 100, 600'000, 30'000,
      "How much of the reference is remembered; what stays away longer counts as lost.")};
  enum Statistic : uint32_t { kEqual, kDiffering, kLost, kDelayMs, kIsExact };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("equal_frames", "frames", "Frames that arrived with the same bits."),
      sluice::counter("differing_frames", "frames", "Frames that arrived with other bits."),
      sluice::counter("lost_frames", "frames", "Frames of the reference that did not arrive."),
      sluice::gauge("delay_ms", "ms",
                    "From a frame's setting out to its arrival, waiting in buffers included."),
      sluice::gauge("is_exact", nullptr, "1 as long as nothing was lost and nothing differed.")};

  void prepare(sluice::Setup& setup) {
    if (std::memcmp(&setup.format(kReference), &setup.format(kReceived), sizeof(sluice_format)) !=
        0) {
      throw sluice::Failure{SLUICE_ERROR_FORMAT,
                            "`reference` and `received` have different formats; convert one of "
                            "them in front of this node."};
    }
    frame_bytes_ = sluice::frame_bytes(setup.format());
    window_frames_ = sluice::frames_of_ms(number(kWindowMs), setup.rate_hz());
  }

  void run() {
    bool has_reference_ended = false;
    bool has_received_ended = false;
    set(kIsExact, 1);
    while (!has_received_ended) {
      sluice_wait_item items[] = {on_input(kReceived), on_input(kReference)};
      const auto wanted = std::span(items).first(has_reference_ended ? 1 : 2);
      if (wait(wanted) == SLUICE_ERROR_STOPPED) break;
      // What set out first: then it is known when it arrives.
      if (!has_reference_ended) has_reference_ended = take_reference();
      has_received_ended = take_received();
    }
    lose(reference_frames());
    report();
  }

 private:
  bool take_reference() {
    for (;;) {
      const sluice_read_span span = begin_read(kReference, kBlockFrames);
      const auto* bytes = static_cast<const std::byte*>(span.data);
      reference_.insert(reference_.end(), bytes, bytes + size_t{span.frames} * frame_bytes_);
      end_read(kReference, span.frames);
      if (span.frames != 0) {
        set_out_frames_ += span.frames;
        departures_.push_back({set_out_frames_, now_ns()});
      }
      if ((span.flags & SLUICE_INPUT_ENDED) != 0) return true;
      if (span.frames < kBlockFrames) break;
    }
    if (reference_frames() > window_frames_) lose(reference_frames() - window_frames_);
    return false;
  }

  bool take_received() {
    for (;;) {
      const sluice_read_span span = begin_read(kReceived, kBlockFrames);
      const auto* bytes = static_cast<const std::byte*>(span.data);
      received_.insert(received_.end(), bytes, bytes + size_t{span.frames} * frame_bytes_);
      end_read(kReceived, span.frames);
      const bool has_ended = (span.flags & SLUICE_INPUT_ENDED) != 0;
      compare(has_ended);
      if (has_ended) return true;
      if (span.frames < kBlockFrames) return false;
    }
  }

  // Frames in step are passed over; elsewhere the place where the streams are in step again is
  // looked for, which takes kStepFrames of what was received unless it has ended; and after it was
  // not found, as many frames in their place are passed before it is looked for again.
  void compare(bool has_ended) {
    size_t at = 0;
    const size_t count = received_.size() / frame_bytes_;
    while (at < count && reference_frames() != 0) {
      const size_t frames = equal_frames(at, count);
      if (frames != 0) {
        add(kEqual, frames);
        note_arrival(frames);
        forget(frames);
        at += frames;
        continue;
      }
      if (count - at < kStepFrames && !has_ended) break;
      const size_t lost = passed_frames_ < searched_to_ ? 0 : frames_to_step(at, count);
      if (lost != 0) {
        lose(lost);
      } else {
        // Each search goes through all that has not arrived yet.
        if (passed_frames_ >= searched_to_) searched_to_ = passed_frames_ + kStepFrames;
        add(kDiffering);
        set(kIsExact, 0);
        forget(1);
        ++at;
      }
    }
    received_.erase(received_.begin(),
                    received_.begin() + static_cast<std::ptrdiff_t>(at * frame_bytes_));
  }

  size_t reference_frames() const { return (reference_.size() - start_) / frame_bytes_; }
  const std::byte* reference_at(size_t frame) const {
    return reference_.data() + start_ + frame * frame_bytes_;
  }
  bool is_equal(size_t received_frame, size_t reference_frame) const {
    return std::memcmp(received_.data() + received_frame * frame_bytes_,
                       reference_at(reference_frame), frame_bytes_) == 0;
  }
  size_t equal_frames(size_t at, size_t count) const {
    const size_t most = std::min(count - at, reference_frames());
    size_t frames = 0;
    while (frames < most && is_equal(at + frames, frames)) ++frames;
    return frames;
  }
  // How many frames of the reference are missing in front of received frame `at`; 0: none is found.
  size_t frames_to_step(size_t at, size_t count) const {
    const size_t length = std::min(kStepFrames, count - at);
    for (size_t skip = 1; skip + length <= reference_frames(); ++skip) {
      size_t frames = 0;
      while (frames < length && is_equal(at + frames, skip + frames)) ++frames;
      if (frames == length) return skip;
    }
    return 0;
  }

  void lose(size_t frames) {
    if (frames == 0) return;
    add(kLost, frames);
    set(kIsExact, 0);
    forget(frames);
  }
  void forget(size_t frames) {
    start_ += frames * frame_bytes_;
    passed_frames_ += frames;
    if (start_ < reference_.size() / 2) return;
    reference_.erase(reference_.begin(), reference_.begin() + static_cast<std::ptrdiff_t>(start_));
    start_ = 0;
  }
  void note_arrival(size_t frames) {
    while (departures_.size() > 1 && departures_.front().frames < passed_frames_ + frames) {
      departures_.pop_front();
    }
    if (departures_.empty()) return;
    delay_ms_ = static_cast<double>(now_ns() - departures_.front().time_ns) / 1e6;
    set(kDelayMs, delay_ms_);
  }

  void report() const {
    const uint64_t equal = count(kEqual), differing = count(kDiffering), lost = count(kLost);
    std::string sentence = std::to_string(equal + differing) + " frames arrived, ";
    if (differing == 0 && lost == 0) {
      sentence += "bit-exact, none lost";
    } else {
      sentence += std::to_string(differing) + " of them changed, " + std::to_string(lost) + " lost";
    }
    info(sentence + "; the last ones took " + std::to_string(std::llround(delay_ms_)) +
         " ms, waiting in buffers included.");
  }
  uint64_t count(uint32_t statistic) const { return host()->slots(host())[statistic].word; }

  struct Departure {
    uint64_t frames;  // that had set out by then
    int64_t time_ns;
  };

  uint32_t frame_bytes_ = 0;
  size_t window_frames_ = 0;
  std::vector<std::byte> reference_;  // from start_ on: what has not arrived yet
  size_t start_ = 0;
  std::vector<std::byte> received_;  // what could not be judged yet
  std::deque<Departure> departures_;
  uint64_t set_out_frames_ = 0, passed_frames_ = 0;
  uint64_t searched_to_ = 0;  // where to look again for the place where the streams are in step
  double delay_ms_ = 0;
};

}  // namespace

SLUICE_PLUGIN("Compare", "1.0.0", "Sluice", "MIT", SinkCompare);
