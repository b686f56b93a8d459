// Marks: says where silence begins and ends, so that sinks behind it may rest.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <sluice/sluice.hpp>

namespace {

class Mark : public sluice::Passive<Mark> {
 public:
  static constexpr sluice::Info kInfo{"org.example.filter.mark-silence", "Mark silence",
                                      "Marks where a stream is silent."};
  static constexpr sluice_port kPorts[] = {
      sluice::input("in", "Any audio.", sluice::kOfferF32),
      sluice::output("out", "The same, marked.", sluice::kOfferF32, SLUICE_PORT_SAME_FORMAT)};
  enum Port : uint32_t { kIn, kOut };

  void prepare(sluice::Setup& setup) {
    channels_ = setup.channels();
    is_silent_ = false;
  }
  void reset() noexcept { is_silent_ = false; }

  // Without SLUICE_TYPE_EQUAL_COUNTS (a Filter has it) a node passes marks on itself, in order,
  // each before the frame that it belongs to.
  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = block.inputs[0];
    sluice_output& out = block.outputs[0];
    const auto* from = static_cast<const float*>(in.data);
    auto* to = static_cast<float*>(out.data);
    const uint32_t frames = std::min(in.frames, out.frames);
    uint32_t next_mark = 0;
    const auto pass_on = [&](uint32_t frame) {
      for (; next_mark < in.mark_count; ++next_mark) {
        const sluice_mark& given = in.marks[next_mark];
        if (given.position > in.position + frame) break;
        mark(kOut, given.kind, out.position + frame, given.value, given.capture_ns);
      }
    };
    for (uint32_t i = 0; i < frames; ++i) {
      pass_on(i);
      const float* frame = from + size_t{i} * channels_;
      const bool is_silent =
          std::all_of(frame, frame + channels_, [](float sample) { return sample == 0.0f; });
      if (is_silent != is_silent_) {
        is_silent_ = is_silent;
        mark(kOut, is_silent ? SLUICE_MARK_SILENCE_BEGINS : SLUICE_MARK_SILENCE_ENDS,
             out.position + i);
      }
    }
    pass_on(frames);
    std::memcpy(to, from, size_t{frames} * channels_ * sizeof(float));
    in.consumed = out.produced = frames;
    const bool is_over = (in.flags & SLUICE_INPUT_ENDED) && frames == in.frames;
    return is_over ? SLUICE_STATUS_DRAINED : SLUICE_STATUS_CONTINUE;
  }

 private:
  uint32_t channels_ = 1;
  bool is_silent_ = false;
};

}  // namespace

SLUICE_PLUGIN("Mark silence", "1.0.0", "Example", "MIT", Mark);
