// Extensions: a table of a host's that may be missing, and one of the node's own for a host that
// knows it.
#include <algorithm>
#include <cstdint>
#include <sluice/sluice.hpp>
#include <string>
#include <string_view>

// What host and plugin agree on; tables never grow, so a new one gets a new number.
#define EXAMPLE_TEMPERATURE "org.example.temperature/1"
typedef struct example_temperature {
  double (*celsius)(const sluice_node* node);  // [any]
} example_temperature;

namespace {

class Warm : public sluice::Filter<Warm> {
 public:
  static constexpr sluice::Info kInfo{"org.example.filter.warm", "Warm",
                                      "Passes audio on and grows warm of it."};

  void prepare(sluice::Setup& setup) {
    // host()->get_extension answers null where the host has none; extension<>() throws a sentence.
    const void* clock = host()->get_extension(host(), SLUICE_CLOCK_HOST);
    info(std::string("This host has ") + (clock ? "a clock" : "no clock") + " for its nodes.");
    frames_ = 0;
    rate_hz_ = setup.rate_hz();
  }
  void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    std::copy_n(in, size_t{frames} * channels, out);
    frames_ += frames;
  }

  // Asked for every id that is none of the SDK's; the answer for an id is the same for life.
  const void* get_extension(std::string_view id) const {
    static constexpr example_temperature kTable{
        [](const sluice_node* node) { return reinterpret_cast<const Warm*>(node)->celsius(); }};
    return id == EXAMPLE_TEMPERATURE ? &kTable : nullptr;
  }

 private:
  double celsius() const { return 20.0 + static_cast<double>(frames_) / rate_hz_; }

  uint64_t frames_ = 0;
  uint32_t rate_hz_ = 48'000;
};

}  // namespace

SLUICE_PLUGIN("Warm", "1.0.0", "Example", "MIT", Warm);
