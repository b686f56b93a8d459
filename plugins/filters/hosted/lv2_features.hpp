// What an LV2 plugin is given by its host: numbers for URIs, the sizes of blocks, a place to have
// work done outside of run. [control] where not said otherwise.
#pragma once

#include <lv2/core/lv2.h>
#include <lv2/options/options.h>
#include <lv2/urid/urid.h>
#include <lv2/worker/worker.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace hosted {

// The number of a URI, and back (null: nobody has asked for it); the same for all plugins. [any]
LV2_URID urid_of(const char* uri);
const char* uri_of(LV2_URID urid);

// Whether features of that URI are among those below.
bool is_feature(std::string_view uri);

// Does what a plugin schedules from run() on a thread of its own; answers come back in run().
class Lv2Worker {
 public:
  Lv2Worker() : schedule_{this, &Lv2Worker::schedule} {}
  Lv2Worker(const Lv2Worker&) = delete;
  Lv2Worker& operator=(const Lv2Worker&) = delete;
  ~Lv2Worker() { stop(); }

  LV2_Worker_Schedule* schedule() { return &schedule_; }
  void start(LV2_Handle handle, const LV2_Worker_Interface& work);
  void stop();
  // Behind run of the plugin: gives it what the worker has answered. [audio]
  void hand_over();

 private:
  // Messages of one writer and one reader, each with its length before it.
  class Ring {
   public:
    Ring() : bytes_(kBytes) {}
    bool put(const void* data, uint32_t size);
    bool take(std::vector<char>& message);  // `message` has room for the largest
   private:
    static constexpr uint32_t kBytes = 1 << 16;
    void copy_in(uint64_t at, const void* data, uint32_t size);
    void copy_out(uint64_t at, void* data, uint32_t size) const;
    std::vector<char> bytes_;
    std::atomic<uint64_t> written_{0}, read_{0};
  };
  static LV2_Worker_Status schedule(LV2_Worker_Schedule_Handle handle, uint32_t size,
                                    const void* data);
  static LV2_Worker_Status respond(LV2_Worker_Respond_Handle handle, uint32_t size,
                                   const void* data);
  void work();

  LV2_Worker_Schedule schedule_;
  LV2_Handle handle_ = nullptr;
  const LV2_Worker_Interface* interface_ = nullptr;
  Ring requests_, answers_;
  std::vector<char> answer_;
  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
};

// The features of one instance, as lilv_plugin_instantiate takes them; valid as long as this.
class Lv2Features {
 public:
  Lv2Features(uint32_t rate_hz, uint32_t block_frames, LV2_Worker_Schedule* schedule);
  Lv2Features(const Lv2Features&) = delete;
  Lv2Features& operator=(const Lv2Features&) = delete;

  const LV2_Feature* const* list() const { return list_.data(); }

 private:
  const float rate_hz_;
  const int32_t least_frames_, most_frames_, usual_frames_, sequence_bytes_;
  std::vector<LV2_Options_Option> options_;
  std::vector<LV2_Feature> features_;
  std::vector<const LV2_Feature*> list_;
};

}  // namespace hosted
