// sink.alsa: plays into any ALSA PCM.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

#include "declaration.hpp"
#include "device_clock.hpp"
#include "frames.hpp"
#include "listing.hpp"
#include "pcm.hpp"
#include "sink_declaration.hpp"

namespace alsa {

class SinkAlsa : public sluice::Threaded<SinkAlsa>, public SinkDeclaration {
 public:
  static void list_devices(const sluice::DeviceListing& listing) {
    list_pcms(listing, Direction::kPlayback);
  }

  void describe(uint32_t, const sluice_format*, sluice_port_info& info);
  void prepare(sluice::Setup& setup);
  void release() noexcept { pcm_.close(); }
  void run();

 private:
  static constexpr uint32_t kIn = 0;
  static constexpr int64_t kStalledNs = 2 * sluice::kNsPerSecond;

  // How playing ended: for good, with the device gone, with the device to be begun anew, or to go
  // on in the other way.
  enum class End : uint8_t { kDone, kGone, kAgain, kOtherWay };
  enum class Outcome : uint8_t { kWritten, kFull, kFailed };

  // ---- The device: sink_alsa.cpp ----

  void choose_offers(const Offered* offered);
  void say_state(DeviceState state, const std::string& sentence = {});
  // False when the node is done.
  bool wait_for_device();
  bool rest_until(int64_t deadline_ns);
  End play();
  Trouble start();
  // How much room the device has; or how playing has ended. The driver is asked now and then, where
  // frames may have come too late, and where what it last said is too little; in between, what is
  // written counts against the clock.
  std::optional<End> look(uint32_t& room);
  // With so many frames left in it.
  bool has_stalled(uint32_t queued, int64_t time_ns);
  std::string stalled() const { return "ALSA device '" + device_ + "' has taken nothing for 2 s."; }
  // Whether the device has something to say, after a wait.
  bool is_woken();
  int64_t write_sound(const void* frames, uint32_t count);
  // At most a period.
  bool write_silence(uint32_t count);
  void note_written(int64_t frames);
  void note_missing(uint32_t frames);
  // The device has played `missed` frames of zeros that nobody gave it.
  bool catch_up(uint64_t missed);
  // After an xrun that stopped it.
  End recover();
  End lose(const std::string& sentence);
  End lose(int64_t error) { return lose(pcm_.trouble("be written", error).sentence); }
  End finish();
  void watch(uint64_t room);
  bool has_no_clock() const;

  // ---- In periods, into a device that is kept full: in_periods.cpp ----

  // What the device is to hold right after frames have come. Of live ones a third of a period less
  // than it could: what it still holds when the next ones come is by how much all are heard later.
  uint32_t fill_of(uint32_t period) const {
    return period * periods_ - (is_fed_live_ ? period / 3 : 0);
  }
  End start_in_periods();
  // Silence, until with `there` frames the device holds as much as it is to hold.
  bool fill_up(uint64_t there);
  End play_in_periods();
  bool come_back(uint32_t room);
  sluice_result wait_for_room();
  bool wait_for_frames();
  // What is there, as far as there is room; if that is no whole period, silence makes it one.
  Outcome write_frames(uint32_t room);

  // ---- On arrival, behind a bridge: on_arrival.cpp ----

  End start_on_arrival();
  End play_on_arrival();
  // Hands on what is there, as far as there is room; how many frames, or nothing if that failed.
  std::optional<uint32_t> pass_on(uint32_t room);
  // Negative: it is still to come.
  int64_t frames_since(int64_t time_ns);
  void note_late();
  bool bridge_gap();
  // The device had nothing for so many frames, or (negative) forgot as many that it had. What comes
  // is later from now on by half a period, and is held back or passed over for the rest.
  bool make_up(int64_t missed);
  // By how many frames the reserve, a period at most, has grown.
  uint32_t keep_reserve(uint64_t frames);
  // Of what was read the device has `queued` frames still to take. Whether there is a bridge.
  bool tell_played(uint32_t queued, int64_t time_ns);

  std::string device_, clock_id_;
  std::vector<sluice_format_offer> offers_;
  sluice_format format_{};
  uint32_t period_frames_ = 0, periods_ = 0;
  bool holds_ = false, is_fed_live_ = false;
  const sluice_clock_host* clock_host_ = nullptr;
  const sluice_play_host* play_host_ = nullptr;

  Pcm pcm_;
  Smoother smoother_;
  DeviceClock clock_;
  std::vector<std::byte> block_;
  std::vector<sluice_wait_item> items_;
  std::vector<pollfd> polled_;
  uint64_t written_frames_ = 0;         // into the device, since it started
  int64_t start_ns_ = 0, look_ns_ = 0;  // of the device, and of the last look at it
  uint64_t taken_frames_ = 0;           // by the device, at the last look
  int64_t moved_ns_ = 0;                // when that had changed
  int64_t opened_ns_ = 0;               // when it was started for the first time
  int64_t next_look_ns_ = 0;            // when to ask the driver again at the latest
  int64_t dry_ns_ = 0;                  // when it will have played what it was given
  bool is_first_ = true;                // nothing was played yet
  bool is_fresh_ = true;                // nor into the device since it was opened
  bool is_over_ = false, was_starving_ = false;
  bool is_bridged_ = false;  // behind a bridge, which wants to know how far the device is

  // In periods.
  uint32_t fill_frames_ = 0;    // that the device is to hold right after it was fed
  bool has_filled_in_ = false;  // silence in place of live frames, since they last came

  // On arrival.
  bool is_quiet_ = false;        // nothing comes, and nothing is meant to
  uint64_t late_frames_ = 0;     // to be passed over when they come
  uint32_t reserve_frames_ = 0;  // held beyond what is asked for, since that was too little; ...
  int64_t reserve_ns_ = 0;       // ... when that was changed
};

}  // namespace alsa
