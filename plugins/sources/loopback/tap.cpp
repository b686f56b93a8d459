#include "plugins/sources/loopback/tap.hpp"

#include <algorithm>
#include <sluice/samples.hpp>

namespace loopback {

Tap::Tap(pa_context& context, const sluice_format& format, uint32_t fragment_frames,
         uint32_t input_index, const std::string& monitor)
    : format_(format),
      frame_bytes_(sluice::frame_bytes(format)),
      fragment_frames_(fragment_frames),
      input_index_(input_index) {
  const pa_sample_spec spec = spec_of(format);
  pa_channel_map map;
  pa_channel_map_init_extend(&map, spec.channels, PA_CHANNEL_MAP_DEFAULT);
  stream_.reset(pa_stream_new(&context, "one program's sound", &spec, &map));
  if (!stream_) return;
  pa_stream_set_read_callback(
      stream_.get(), [](pa_stream*, size_t, void* tap) { static_cast<Tap*>(tap)->take_all(); },
      this);
  pa_stream_set_monitor_stream(stream_.get(), input_index);
  pa_buffer_attr buffer{};
  buffer.maxlength = static_cast<uint32_t>(-1);
  buffer.fragsize = fragment_frames * frame_bytes_;
  pa_stream_connect_record(
      stream_.get(), monitor.c_str(), &buffer,
      static_cast<pa_stream_flags_t>(PA_STREAM_ADJUST_LATENCY | PA_STREAM_DONT_MOVE));
}

void Tap::take_all() {
  while (pa_stream_readable_size(stream_.get()) != 0) {
    const void* data = nullptr;
    size_t bytes = 0;
    if (pa_stream_peek(stream_.get(), &data, &bytes) < 0 || bytes == 0) return;
    const size_t begin = waiting_.size();
    waiting_.resize(begin + bytes);
    if (data != nullptr) std::memcpy(waiting_.data() + begin, data, bytes);
    pa_stream_drop(stream_.get());
  }
}

void Tap::add_to(std::byte* mix, uint32_t frames) {
  const size_t wanted = size_t{frames} * frame_bytes_;
  const size_t fragment = size_t{fragment_frames_} * frame_bytes_;
  if (!is_begun_) {
    if (waiting_.size() < wanted + fragment) return;
    is_begun_ = true;
  }
  // After the server has stood still, its streams come back with more than they should have.
  const size_t most = wanted + 4 * fragment;
  if (waiting_.size() > most) {
    const size_t surplus = waiting_.size() - (wanted + fragment);
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(surplus));
  }
  const size_t bytes = std::min(wanted, waiting_.size());
  sluice::add_samples(mix, waiting_.data(), format_.sample_format,
                      bytes / sluice::sample_bytes(format_.sample_format));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(bytes));
}

}  // namespace loopback
