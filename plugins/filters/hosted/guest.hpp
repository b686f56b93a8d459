// A plugin of another kind, as the two bridges see it: what it is, and one running copy of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hosted {

// For which bounds are said that are multiples of the sample rate.
inline constexpr double kUsualRateHz = 48'000.0;

// A control input, which becomes a parameter.
struct Control {
  enum class Kind : uint8_t { kNumber, kInteger, kToggle, kChoice };

  uint32_t port = 0;
  Kind kind = Kind::kNumber;
  std::string key;         // of the parameter
  std::string name, unit;  // for people
  double minimum = 0.0, maximum = 1.0, initial = 0.0;
  std::vector<std::string> choices;  // of a choice: labels, and the values they stand for
  std::vector<double> values;
  bool is_live = true;            // may change while it runs
  bool scales_with_rate = false;  // the bounds are those at kUsualRateHz
};

// A control output, which becomes a gauge.
struct Meter {
  uint32_t port = 0;
  std::string key, name, unit;
};

// What a guest is.
struct Guest {
  std::string name;  // that the family knows it by
  std::string title, maker, licence;
  std::string remark;                         // why it cannot run here; empty: it can
  std::vector<uint32_t> audio_in, audio_out;  // ports
  std::vector<Control> controls;
  std::vector<Meter> meters;
};

// A running copy. Ports that are neither audio, controls nor meters are its own affair.
class Instance {
 public:
  Instance() = default;
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  virtual ~Instance() = default;

  // Before activate: where a port reads or writes, for as long as it is active. [control]
  virtual void connect(uint32_t port, float* data) = 0;
  virtual void activate() = 0;    // [control]
  virtual void deactivate() = 0;  // [control]
  // At most the frames it was made for. [audio]
  virtual void run(uint32_t frames) = 0;
  // By how much what it gives is late, as far as it said so in run; frames. [any]
  virtual double latency() const = 0;
};

// "Cutoff Freq (Hz)" -> "cutoff_freq_hz": a key of a parameter that is not among `taken`.
std::string key_of(std::string_view name, const std::vector<std::string>& taken);

// Why a guest with these audio ports is no filter; empty: it is one.
std::string why_no_filter(const Guest& guest);

// "Freq (Hz)", "Gain [dB]": the unit in brackets at the end; empty if it is none that is known.
std::string unit_in(std::string_view name);

// What was meant by a number that was written as a decimal: 0.1, not 0.100000001490116.
double exact(float number);

}  // namespace hosted
