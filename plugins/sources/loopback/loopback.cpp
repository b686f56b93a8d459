// source.loopback: what the desktop plays.
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <sluice/nearest.hpp>
#include <sluice/samples.hpp>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

#include "plugins/sources/loopback/declaration.hpp"
#include "plugins/sources/loopback/other_programs.hpp"
#include "plugins/sources/loopback/output_list.hpp"
#include "plugins/sources/loopback/pulse.hpp"

namespace {

using loopback::Output;

constexpr uint32_t kOut = 0;
// A server that is there again is met within half a second.
constexpr int64_t kRetryNs = 250'000'000;
// An output that gives nothing for so long is silent: readers need not wait for it.
constexpr int64_t kQuietNs = 250'000'000;
constexpr size_t kMostDescriptors = 16;

class SourceLoopback : public sluice::Threaded<SourceLoopback>, public loopback::Declaration {
 public:
  static void list_devices(const sluice::DeviceListing& listing) {
    loopback::list_outputs(listing, kParameters[kOutput].key);
  }

  void describe(uint32_t, const sluice_format*, sluice_port_info& info) {
    const uint32_t channels = integer(kChannels);
    const uint32_t rate_hz = integer(kRateHz);
    offer_ =
        sluice::offer(SLUICE_SAMPLE_ANY, SLUICE_SAMPLE_UNSET, channels, channels, rate_hz, rate_hz);
    clock_id_ = "pulse:" + (text(kOutput).empty() ? "default" : std::string(text(kOutput)));
    info.offers = &offer_;
    info.offer_count = 1;
    info.clock_id = clock_id_.c_str();
  }

  void prepare(sluice::Setup& setup) {
    if (setup.is_offline()) {
      throw sluice::Failure{SLUICE_ERROR_UNSUPPORTED,
                            "What the desktop plays can be captured in real time alone: use "
                            "'sluice run'."};
    }
    format_ = setup.format(kOut);
    frame_bytes_ = sluice::frame_bytes(format_);
    server_ = std::string(text(kServer));
    wanted_ = std::string(text(kOutput));
    fragment_frames_ = integer(kBufferFrames);
    setup.port(kOut).max_block_frames = 2 * fragment_frames_;
    fade_.reset(0, format_.rate_hz);
  }

  void run() {
    loop_.reset(pa_mainloop_new());
    if (!loop_) throw sluice::Failure{SLUICE_ERROR_MEMORY, "Not enough memory."};
    pa_mainloop_set_poll_func(
        loop_.get(),
        [](pollfd* descriptors, unsigned long count, int timeout_ms, void* node) {
          return static_cast<SourceLoopback*>(node)->poll({descriptors, count}, timeout_ms);
        },
        this);
    begin_silence();
    while (!is_stopping_) {
      if (!context_) connect();
      if (is_ready() && must_look_ && !is_looking_) look_for_output();
      if (is_ready() && must_list_ && !is_listing_) list_streams();
      if (pa_mainloop_iterate(loop_.get(), 1, nullptr) < 0) {
        throw sluice::Failure{SLUICE_ERROR_INTERNAL, "libpulse's main loop failed."};
      }
      look_after();
    }
    close();
    loop_.reset();
  }

 private:
  enum class State : uint8_t { kAbsent, kOpening, kRunning, kLost };

  bool is_ready() const {
    return context_ && pa_context_get_state(context_.get()) == PA_CONTEXT_READY;
  }

  // As poll(2), for libpulse: the one place where this node waits.
  int poll(std::span<pollfd> descriptors, int timeout_ms) {
    std::array<sluice_wait_item, kMostDescriptors> items{};
    const size_t count = std::min(descriptors.size(), items.size());
    for (size_t i = 0; i < count; ++i) {
      items[i] = on_descriptor(descriptors[i].fd, static_cast<uint16_t>(descriptors[i].events));
      descriptors[i].revents = 0;
    }
    int64_t deadline_ns = next_ns_;
    if (timeout_ms >= 0) {
      deadline_ns = std::min(deadline_ns, now_ns() + int64_t{timeout_ms} * 1'000'000);
    }
    is_stopping_ = wait(std::span(items).first(count), deadline_ns) == SLUICE_ERROR_STOPPED;
    int ready = 0;
    for (size_t i = 0; i < count; ++i) {
      descriptors[i].revents = static_cast<short>(items[i].ready);
      ready += items[i].ready != 0;
    }
    return ready;
  }

  // ---- The server ----

  void connect() {
    if (now_ns() < retry_ns_) return;
    context_ = loopback::connect(*loop_, server_);
    if (!context_) return lose(PA_ERR_CONNECTIONREFUSED);
    pa_context_set_state_callback(
        context_.get(),
        [](pa_context* context, void* node) {
          if (pa_context_get_state(context) == PA_CONTEXT_READY) {
            static_cast<SourceLoopback*>(node)->greet();
          }
        },
        this);
    next_ns_ = SLUICE_FOREVER;
  }

  void greet() {
    pa_context_set_subscribe_callback(
        context_.get(),
        [](pa_context*, pa_subscription_event_type_t type, uint32_t, void* node) {
          auto& self = *static_cast<SourceLoopback*>(node);
          if ((type & PA_SUBSCRIPTION_EVENT_FACILITY_MASK) == PA_SUBSCRIPTION_EVENT_SINK_INPUT) {
            self.must_list_ = true;
          } else {
            self.must_look_ = true;
          }
        },
        this);
    loopback::forget(
        pa_context_subscribe(context_.get(),
                             static_cast<pa_subscription_mask_t>(PA_SUBSCRIPTION_MASK_SERVER |
                                                                 PA_SUBSCRIPTION_MASK_SINK |
                                                                 PA_SUBSCRIPTION_MASK_SINK_INPUT),
                             nullptr, nullptr));
    must_look_ = true;
  }

  // Gives up the server and everything of it.
  void close() {
    close_stream();
    context_.reset();
    is_looking_ = is_listing_ = must_look_ = must_list_ = false;
    output_ = {};
  }

  void lose(int error) {
    const bool was_there = has_been_running_;
    close();
    retry_ns_ = next_ns_ = now_ns() + kRetryNs;
    if (was_there) {
      be(State::kLost, "The sound server is gone; Sluice waits for it.");
    } else {
      be(State::kAbsent, loopback::server_sentence(server_, error));
    }
  }

  // ---- The output ----

  void look_for_output() {
    must_look_ = false;
    is_looking_ = true;
    loopback::forget(pa_context_get_server_info(
        context_.get(),
        [](pa_context*, const pa_server_info* info, void* node) {
          auto& self = *static_cast<SourceLoopback*>(node);
          if (info != nullptr) self.is_pipewire_ = loopback::is_pipewire(*info);
          if (!self.wanted_.empty()) {
            self.ask_for(self.wanted_.c_str());
          } else if (info != nullptr && info->default_sink_name != nullptr) {
            self.ask_for(info->default_sink_name);
          } else {
            self.is_looking_ = false;
            self.miss_output();
          }
        },
        this));
  }

  void ask_for(const char* name) {
    found_ = {};
    loopback::forget(pa_context_get_sink_info_by_name(
        context_.get(), name,
        [](pa_context*, const pa_sink_info* info, int end, void* node) {
          auto& self = *static_cast<SourceLoopback*>(node);
          if (end == 0) {
            self.found_ = loopback::output_of(*info);
          } else {
            self.is_looking_ = false;
            self.take_found();
          }
        },
        this));
  }

  void take_found() {
    if (found_.monitor.empty()) return miss_output();
    const bool is_same = stream_ && found_.index == output_.index && found_.name == output_.name;
    output_ = found_;
    set(kOutputRateHz, output_.rate_hz);
    set(kOutputChannels, output_.channels);
    if (!is_same) open_stream();
  }

  // There is no such output; the names of those there are go into the sentence.
  void miss_output() {
    if (stream_) add(kLosses);
    close_stream();
    output_ = {};
    names_.clear();
    is_looking_ = true;
    loopback::forget(pa_context_get_sink_info_list(
        context_.get(),
        [](pa_context*, const pa_sink_info* info, int end, void* node) {
          auto& self = *static_cast<SourceLoopback*>(node);
          if (end == 0) {
            self.names_.emplace_back(info->name);
          } else {
            self.is_looking_ = false;
            self.say_missing();
          }
        },
        this));
  }

  void say_missing() {
    const State state = has_been_running_ ? State::kLost : State::kAbsent;
    if (wanted_.empty()) {
      be(state, "The sound server has no output; Sluice waits for one.");
    } else {
      be(state, "There is no output \"" + wanted_ + "\"" + sluice::did_you_mean(wanted_, names_) +
                    " 'sluice devices source.loopback' lists them; Sluice waits for it.");
    }
  }

  void open_stream() {
    close_stream();
    be(State::kOpening, {});
    const pa_sample_spec spec = loopback::spec_of(format_);
    pa_channel_map map;
    pa_channel_map_init_extend(&map, spec.channels, PA_CHANNEL_MAP_DEFAULT);
    stream_.reset(pa_stream_new(context_.get(), "what the desktop plays", &spec, &map));
    if (!stream_) return refuse_stream();
    pa_stream_set_read_callback(
        stream_.get(),
        [](pa_stream*, size_t, void* node) { static_cast<SourceLoopback*>(node)->take(); }, this);
    pa_buffer_attr buffer{};
    buffer.maxlength = static_cast<uint32_t>(-1);
    const uint32_t fragment_frames = loopback::even_fragment(fragment_frames_, is_pipewire_);
    others_.prepare(format_, fragment_frames);
    buffer.fragsize = fragment_frames * frame_bytes_;
    const auto flags =
        static_cast<pa_stream_flags_t>(PA_STREAM_ADJUST_LATENCY | PA_STREAM_DONT_MOVE);
    if (pa_stream_connect_record(stream_.get(), output_.monitor.c_str(), &buffer, flags) < 0) {
      return refuse_stream();
    }
    has_opened_ = false;
    must_list_ = true;
  }

  void refuse_stream() {
    const std::string why = pa_strerror(pa_context_errno(context_.get()));
    close_stream();
    retry_ns_ = next_ns_ = now_ns() + kRetryNs;
    must_retry_ = true;
    be(State::kAbsent,
       "The output " + output_.name + " cannot be captured (" + why + "); Sluice goes on trying.");
  }

  void close_stream() {
    begin_silence();
    others_.clear();
    stream_.reset();
  }

  // After libpulse has had its turn: what ended, what began, what is overdue.
  void look_after() {
    if (!context_) return;
    if (loopback::is_over(pa_context_get_state(context_.get()))) {
      if (stream_) add(kLosses);
      return lose(pa_context_errno(context_.get()));
    }
    const int64_t time_ns = now_ns();
    next_ns_ = SLUICE_FOREVER;
    if (must_retry_) {
      next_ns_ = retry_ns_;
      if (time_ns >= retry_ns_) {
        must_retry_ = false;
        must_look_ = true;
      }
    }
    if (!stream_) return;
    const pa_stream_state_t state = pa_stream_get_state(stream_.get());
    if (!PA_STREAM_IS_GOOD(state)) {
      if (!has_opened_) return refuse_stream();
      add(kLosses);
      const std::string name = output_.name;
      close_stream();
      output_ = {};
      be(State::kLost, "The output " + name + " is gone; Sluice waits for it.");
      must_look_ = true;
      return;
    }
    if (state == PA_STREAM_READY && !has_opened_) note_opened();
    if (!has_opened_) return;
    // It may have been left unread while the list of streams was on its way.
    take();
    if (is_silent_) return;
    next_ns_ = std::min(next_ns_, heard_ns_ + kQuietNs);
    if (time_ns >= heard_ns_ + kQuietNs) begin_silence();
  }

  void note_opened() {
    has_opened_ = has_been_running_ = true;
    add(kOpens);
    const pa_buffer_attr* granted = pa_stream_get_buffer_attr(stream_.get());
    if (granted != nullptr) {
      const uint32_t frames = granted->fragsize / frame_bytes_;
      set(kGrantedFrames, frames);
    }
    be(State::kRunning,
       "Capturing what plays into " + output_.description + " (" + output_.name + ").");
  }

  // ---- Sluice's own streams ----

  void list_streams() {
    must_list_ = false;
    is_listing_ = true;
    others_.begin_list();
    loopback::forget(pa_context_get_sink_input_info_list(
        context_.get(),
        [](pa_context*, const pa_sink_input_info* info, int end, void* node) {
          auto& self = *static_cast<SourceLoopback*>(node);
          if (end == 0) self.others_.note(*info, self.output_.index);
        },
        this));
    // Asked after the streams, it has everybody whose they are.
    loopback::forget(pa_context_get_client_info_list(
        context_.get(),
        [](pa_context*, const pa_client_info* info, int end, void* node) {
          auto& self = *static_cast<SourceLoopback*>(node);
          if (end == 0) {
            self.others_.note(*info);
          } else {
            self.is_listing_ = false;
            self.others_.end_list();
            self.take_streams();
          }
        },
        this));
  }

  void take_streams() {
    const uint32_t own = boolean(kIncludeOwn) ? 0 : others_.own_count();
    set(kOwnStreams, own);
    if (others_.take(*context_, output_.monitor, own != 0 && stream_)) {
      fade_.reset(0, format_.rate_hz);
    }
  }

  // ---- Audio ----

  // What the server has captured. As long as it is not known whose streams it is made of it stays
  // where it is.
  void take() {
    if (must_list_ || is_listing_ || !stream_) return;
    constexpr auto kError = static_cast<size_t>(-1);
    const size_t bytes_there = pa_stream_readable_size(stream_.get());
    if (bytes_there == 0 || bytes_there == kError) return;
    heard_ns_ = now_ns();
    while (const size_t there = pa_stream_readable_size(stream_.get())) {
      const void* data = nullptr;
      size_t bytes = 0;
      if (pa_stream_peek(stream_.get(), &data, &bytes) < 0 || bytes == 0) return;
      // The last of what is there has just been captured.
      write(static_cast<const std::byte*>(data), static_cast<uint32_t>(bytes / frame_bytes_),
            heard_ns_ - ns_of(there / frame_bytes_));
      pa_stream_drop(stream_.get());
    }
  }

  // `data` is null where the server lost frames.
  void write(const std::byte* data, uint32_t frames, int64_t capture_ns) {
    if (others_.is_mixing()) data = others_.mix(frames);
    end_silence();
    while (frames != 0) {
      const sluice_write_span span = begin_write(kOut, frames);
      if (span.frames == 0) {
        end_write(kOut, 0);
        drop(kOut, frames);
        add(kDroppedFrames, frames);
        return;
      }
      auto* const to = static_cast<std::byte*>(span.data);
      const size_t bytes = size_t{span.frames} * frame_bytes_;
      if (data == nullptr) {
        std::memset(to, 0, bytes);
        mark(kOut, SLUICE_MARK_GAP, span.position, span.frames);
      } else {
        std::memcpy(to, data, bytes);
        data += bytes;
      }
      fade_.to(1);
      if (fade_.is_moving()) {
        sluice::apply_gain(fade_, to, format_, std::min(span.frames, fade_.frames_left()));
      }
      end_write(kOut, span.frames, capture_ns);
      capture_ns += ns_of(span.frames);
      add(kFrames, span.frames);
      has_written_ = true;
      frames -= span.frames;
    }
  }

  int64_t ns_of(uint64_t frames) const { return sluice::ns_of_frames(frames, format_.rate_hz); }

  uint64_t position() {
    const sluice_write_span span = begin_write(kOut, 1);
    end_write(kOut, 0);
    return span.position;
  }
  void begin_silence() {
    if (is_silent_) return;
    mark(kOut, SLUICE_MARK_SILENCE_BEGINS, position());
    is_silent_ = true;
  }
  void end_silence() {
    if (!is_silent_) return;
    const uint64_t at = position();
    mark(kOut, SLUICE_MARK_SILENCE_ENDS, at);
    if (has_written_) mark(kOut, SLUICE_MARK_DISCONTINUITY, at);
    is_silent_ = false;
    fade_.reset(0, format_.rate_hz);
  }

  void be(State state, const std::string& sentence) {
    set(kState, static_cast<double>(state));
    constexpr uint32_t kStates[] = {SLUICE_STATE_WAITING, SLUICE_STATE_STARTING,
                                    SLUICE_STATE_RUNNING, SLUICE_STATE_LOST};
    if (state == state_ && sentence == said_) return;
    state_ = state;
    said_ = sentence;
    set_state(kStates[static_cast<size_t>(state)], sentence);
  }

  sluice_format_offer offer_{};
  std::string clock_id_;
  sluice_format format_{};
  uint32_t frame_bytes_ = 0;
  uint32_t fragment_frames_ = 0;
  std::string server_, wanted_;

  // The loop outlives what was made with it.
  loopback::Loop loop_;
  loopback::Context context_;
  loopback::Stream stream_;
  bool is_stopping_ = false;
  int64_t next_ns_ = SLUICE_FOREVER;  // when the node itself wants a turn
  int64_t retry_ns_ = 0;
  bool must_retry_ = false;

  bool is_pipewire_ = false;
  Output output_, found_;
  bool must_look_ = false, is_looking_ = false;
  bool has_opened_ = false;
  bool has_been_running_ = false;
  std::vector<std::string> names_;
  State state_ = State::kAbsent;
  std::string said_;

  // Of who plays into the output.
  bool must_list_ = false, is_listing_ = false;
  loopback::OtherPrograms others_;

  bool is_silent_ = false, has_written_ = false;
  int64_t heard_ns_ = 0;
  sluice::Ramp fade_;
};

}  // namespace

SLUICE_PLUGIN("Desktop loopback", "1.0.0", "Sluice", "MIT", SourceLoopback);
