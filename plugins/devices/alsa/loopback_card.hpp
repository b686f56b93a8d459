// The controls of one cable of snd-aloop (sound/drivers/aloop.c): who plays at its other end, and
// how fast its clock runs. [control, worker], one thread.
#pragma once

#include <alsa/asoundlib.h>

#include <optional>
#include <string>

namespace alsa {

class LoopbackCard {
 public:
  // The driver's clock runs at this number; a larger one is slower.
  static constexpr long kNominalShift = 100000;

  LoopbackCard() = default;
  ~LoopbackCard() { close(); }
  LoopbackCard(const LoopbackCard&) = delete;
  LoopbackCard& operator=(const LoopbackCard&) = delete;

  // The controls of the cable that is captured at device `device`, substream `subdevice`, of the
  // card with that id. False if they cannot be reached.
  bool open(const std::string& id, unsigned device, unsigned subdevice);
  void close() noexcept;
  // The name of the card's driver; "" if it is not open. "Loopback" is snd-aloop.
  const std::string& driver() const { return driver_; }

  // Somebody plays at the other end. No value: the card is gone.
  std::optional<bool> is_fed() const;
  // Whether the clock can be shifted: that needs the right to write controls.
  bool can_shift();
  bool set_shift(long shift);

 private:
  std::optional<long> read(const char* control) const;
  bool write(const char* control, long value);

  snd_ctl_t* control_ = nullptr;
  unsigned device_ = 0, subdevice_ = 0;
  std::string driver_;
};

}  // namespace alsa
