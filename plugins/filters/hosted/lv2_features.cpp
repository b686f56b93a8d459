#include "lv2_features.hpp"

#include <lv2/atom/atom.h>
#include <lv2/buf-size/buf-size.h>
#include <lv2/parameters/parameters.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>

namespace hosted {
namespace {

constexpr int32_t kSequenceBytes = 8192;
// How often the worker looks whether there is something to do: nobody rings for it from run.
constexpr std::chrono::milliseconds kLook{5};

struct Uris {
  std::mutex mutex;
  std::map<std::string, LV2_URID, std::less<>> numbers;
  std::deque<std::string> texts;
};
Uris& uris() {
  static auto* const all = new Uris;
  return *all;
}

LV2_URID map_uri(LV2_URID_Map_Handle, const char* uri) { return urid_of(uri); }
const char* unmap_uri(LV2_URID_Unmap_Handle, LV2_URID urid) { return uri_of(urid); }

constexpr std::array kFeatures{
    std::string_view(LV2_URID__map),           std::string_view(LV2_URID__unmap),
    std::string_view(LV2_OPTIONS__options),    std::string_view(LV2_BUF_SIZE__boundedBlockLength),
    std::string_view(LV2_WORKER__schedule),    std::string_view(LV2_CORE__isLive),
    std::string_view(LV2_CORE__hardRTCapable), std::string_view(LV2_CORE__inPlaceBroken)};

}  // namespace

LV2_URID urid_of(const char* uri) {
  Uris& all = uris();
  const std::lock_guard lock(all.mutex);
  const auto known = all.numbers.find(uri);
  if (known != all.numbers.end()) return known->second;
  all.texts.emplace_back(uri);
  const auto urid = static_cast<LV2_URID>(all.texts.size());
  all.numbers.emplace(uri, urid);
  return urid;
}

const char* uri_of(LV2_URID urid) {
  Uris& all = uris();
  const std::lock_guard lock(all.mutex);
  return urid == 0 || urid > all.texts.size() ? nullptr : all.texts[urid - 1].c_str();
}

bool is_feature(std::string_view uri) {
  return std::find(kFeatures.begin(), kFeatures.end(), uri) != kFeatures.end();
}

Lv2Features::Lv2Features(uint32_t rate_hz, uint32_t block_frames, LV2_Worker_Schedule* schedule)
    : rate_hz_(static_cast<float>(rate_hz)),
      least_frames_(1),
      most_frames_(static_cast<int32_t>(block_frames)),
      usual_frames_(static_cast<int32_t>(block_frames)),
      sequence_bytes_(kSequenceBytes) {
  const auto option = [&](const char* key, const char* type, uint32_t size, const void* value) {
    options_.push_back({LV2_OPTIONS_INSTANCE, 0, urid_of(key), size, urid_of(type), value});
  };
  option(LV2_PARAMETERS__sampleRate, LV2_ATOM__Float, sizeof(float), &rate_hz_);
  option(LV2_BUF_SIZE__minBlockLength, LV2_ATOM__Int, sizeof(int32_t), &least_frames_);
  option(LV2_BUF_SIZE__maxBlockLength, LV2_ATOM__Int, sizeof(int32_t), &most_frames_);
  option(LV2_BUF_SIZE__nominalBlockLength, LV2_ATOM__Int, sizeof(int32_t), &usual_frames_);
  option(LV2_BUF_SIZE__sequenceSize, LV2_ATOM__Int, sizeof(int32_t), &sequence_bytes_);
  options_.push_back({LV2_OPTIONS_INSTANCE, 0, 0, 0, 0, nullptr});
  static LV2_URID_Map map{nullptr, map_uri};
  static LV2_URID_Unmap unmap{nullptr, unmap_uri};
  features_ = {{LV2_URID__map, &map},
               {LV2_URID__unmap, &unmap},
               {LV2_OPTIONS__options, options_.data()},
               {LV2_BUF_SIZE__boundedBlockLength, nullptr},
               {LV2_WORKER__schedule, schedule},
               {LV2_CORE__isLive, nullptr}};
  for (const LV2_Feature& feature : features_) list_.push_back(&feature);
  list_.push_back(nullptr);
}

void Lv2Worker::Ring::copy_in(uint64_t at, const void* data, uint32_t size) {
  const uint32_t offset = at % kBytes;
  const uint32_t first = std::min(size, kBytes - offset);
  std::memcpy(bytes_.data() + offset, data, first);
  std::memcpy(bytes_.data(), static_cast<const char*>(data) + first, size - first);
}

void Lv2Worker::Ring::copy_out(uint64_t at, void* data, uint32_t size) const {
  const uint32_t offset = at % kBytes;
  const uint32_t first = std::min(size, kBytes - offset);
  std::memcpy(data, bytes_.data() + offset, first);
  std::memcpy(static_cast<char*>(data) + first, bytes_.data(), size - first);
}

bool Lv2Worker::Ring::put(const void* data, uint32_t size) {
  const uint64_t at = written_.load(std::memory_order_relaxed);
  const uint64_t used = at - read_.load(std::memory_order_acquire);
  if (size > kBytes || used + sizeof(size) + size > kBytes) return false;
  copy_in(at, &size, sizeof(size));
  copy_in(at + sizeof(size), data, size);
  written_.store(at + sizeof(size) + size, std::memory_order_release);
  return true;
}

bool Lv2Worker::Ring::take(std::vector<char>& message) {
  const uint64_t at = read_.load(std::memory_order_relaxed);
  if (at == written_.load(std::memory_order_acquire)) return false;
  uint32_t size = 0;
  copy_out(at, &size, sizeof(size));
  message.resize(size);
  copy_out(at + sizeof(size), message.data(), size);
  read_.store(at + sizeof(size) + size, std::memory_order_release);
  return true;
}

LV2_Worker_Status Lv2Worker::schedule(LV2_Worker_Schedule_Handle handle, uint32_t size,
                                      const void* data) {
  return static_cast<Lv2Worker*>(handle)->requests_.put(data, size) ? LV2_WORKER_SUCCESS
                                                                    : LV2_WORKER_ERR_NO_SPACE;
}

LV2_Worker_Status Lv2Worker::respond(LV2_Worker_Respond_Handle handle, uint32_t size,
                                     const void* data) {
  return static_cast<Lv2Worker*>(handle)->answers_.put(data, size) ? LV2_WORKER_SUCCESS
                                                                   : LV2_WORKER_ERR_NO_SPACE;
}

void Lv2Worker::start(LV2_Handle handle, const LV2_Worker_Interface& work) {
  stop();
  handle_ = handle;
  interface_ = &work;
  // The largest that can lie in the ring: taking one out of it allocates nothing then.
  answer_.reserve(1 << 16);
  is_stopping_ = false;
  thread_ = std::thread([this] { this->work(); });
}

void Lv2Worker::stop() {
  is_stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void Lv2Worker::work() {
  std::vector<char> request;
  while (!is_stopping_) {
    while (requests_.take(request)) {
      interface_->work(handle_, &Lv2Worker::respond, this, static_cast<uint32_t>(request.size()),
                       request.data());
    }
    std::this_thread::sleep_for(kLook);
  }
}

void Lv2Worker::hand_over() {
  if (!interface_) return;
  while (answers_.take(answer_)) {
    if (interface_->work_response) {
      interface_->work_response(handle_, static_cast<uint32_t>(answer_.size()), answer_.data());
    }
  }
  if (interface_->end_run) interface_->end_run(handle_);
}

}  // namespace hosted
