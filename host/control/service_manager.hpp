// Tells systemd how this process is, as sd_notify(3) does. Where no service manager listens nothing
// happens. [control]
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::control {

class ServiceManager {
 public:
  // Who NOTIFY_SOCKET names. Takes it and WATCHDOG_USEC out of the environment, so that no process
  // that is started later speaks for this one.
  ServiceManager();
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  bool is_there() const { return descriptor_ >= 0; }
  // `status` is what `systemctl status` shows.
  void tell_ready(std::string_view status);
  // Followed by tell_ready.
  void tell_reloading();
  void tell_stopping();
  // Says twice in each watchdog interval (WatchdogSec) that the process still turns. To be called
  // often; `now_ns` is of any clock that does not go back.
  void tend(int64_t now_ns);

 private:
  void send(const std::string& message);

  int descriptor_ = -1;
  std::string address_;  // the bytes of sun_path; the first is 0 for an abstract one
  int64_t interval_ns_ = 0;
  int64_t due_ns_ = 0;
};

}  // namespace sluice::control
