#include "loopback_card.hpp"

#include <utility>

#include "trouble.hpp"

namespace alsa {
namespace {

constexpr const char* kShift = "PCM Rate Shift 100000";
constexpr const char* kActive = "PCM Slave Active";

void name_control(snd_ctl_elem_value_t* value, const char* control, unsigned device,
                  unsigned subdevice) {
  snd_ctl_elem_value_set_interface(value, SND_CTL_ELEM_IFACE_PCM);
  snd_ctl_elem_value_set_name(value, control);
  snd_ctl_elem_value_set_device(value, device);
  snd_ctl_elem_value_set_subdevice(value, subdevice);
}

}  // namespace

bool LoopbackCard::open(const std::string& id, unsigned device, unsigned subdevice) {
  const Hush hush;
  close();
  device_ = device;
  subdevice_ = subdevice;
  if (snd_ctl_open(&control_, ("hw:" + id).c_str(), SND_CTL_NONBLOCK) < 0) {
    control_ = nullptr;
    return false;
  }
  snd_ctl_card_info_t* info = nullptr;
  snd_ctl_card_info_alloca(&info);
  if (snd_ctl_card_info(control_, info) == 0) driver_ = snd_ctl_card_info_get_driver(info);
  return true;
}

void LoopbackCard::close() noexcept {
  if (control_) snd_ctl_close(std::exchange(control_, nullptr));
  driver_.clear();
}

std::optional<long> LoopbackCard::read(const char* control) const {
  if (!control_) return std::nullopt;
  snd_ctl_elem_value_t* value = nullptr;
  snd_ctl_elem_value_alloca(&value);
  name_control(value, control, device_, subdevice_);
  if (snd_ctl_elem_read(control_, value) < 0) return std::nullopt;
  return snd_ctl_elem_value_get_integer(value, 0);
}

bool LoopbackCard::write(const char* control, long number) {
  if (!control_) return false;
  snd_ctl_elem_value_t* value = nullptr;
  snd_ctl_elem_value_alloca(&value);
  name_control(value, control, device_, subdevice_);
  snd_ctl_elem_value_set_integer(value, 0, number);
  return snd_ctl_elem_write(control_, value) >= 0;
}

std::optional<bool> LoopbackCard::is_fed() const {
  const auto active = read(kActive);
  if (!active) return std::nullopt;
  return *active != 0;
}

bool LoopbackCard::can_shift() {
  const auto shift = read(kShift);
  return shift && write(kShift, *shift);
}

bool LoopbackCard::set_shift(long shift) { return write(kShift, shift); }

}  // namespace alsa
