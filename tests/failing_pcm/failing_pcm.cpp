// A PCM of ALSA's that needs no sound card: what is played into it goes nowhere, at the pace of the
// clock. While a file is there it fails as one does whose server goes while its player looks how
// much room there is: first that is an underrun, then polling fails. If something is in the file,
// the underrun cannot be recovered from.
//
//   pcm_type.failing { lib "FOLDER/failing_pcm.so" }
//   pcm.failing { type failing  fails_while "FILE" }
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>

namespace {

constexpr int64_t kNsInS = 1'000'000'000;
constexpr int64_t kLookNs = 5'000'000;

int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNsInS + now.tv_nsec;
}

struct FailingPcm {
  explicit FailingPcm(const char* path) : file(path) {
    const itimerspec looks{{0, kLookNs}, {0, kLookNs}};
    timerfd_settime(timer, 0, &looks, nullptr);
  }
  FailingPcm(const FailingPcm&) = delete;
  FailingPcm& operator=(const FailingPcm&) = delete;
  ~FailingPcm() { ::close(timer); }

  bool fails() const { return access(file.c_str(), F_OK) == 0; }
  bool is_beyond_recovery() const {
    struct stat about {};
    return stat(file.c_str(), &about) == 0 && about.st_size != 0;
  }

  const std::string file;
  int looks_at_room = 0;  // since it was last polled
  bool has_failed = false;
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  int64_t played_ns = 0;  // when the frames of played_frames were out
  snd_pcm_uframes_t played_frames = 0;
  snd_pcm_ioplug_t io{};
};

FailingPcm& self(snd_pcm_ioplug_t* io) { return *static_cast<FailingPcm*>(io->private_data); }

int start(snd_pcm_ioplug_t* io) {
  self(io).played_ns = now_ns();
  return 0;
}

int stop(snd_pcm_ioplug_t*) { return 0; }

int prepare(snd_pcm_ioplug_t* io) {
  self(io).played_frames = 0;
  return self(io).is_beyond_recovery() ? -ENODEV : 0;
}

// It waits for a player that is late.
snd_pcm_sframes_t pointer(snd_pcm_ioplug_t* io) {
  FailingPcm& pcm = self(io);
  if (pcm.has_failed || (++pcm.looks_at_room > 3 && pcm.fails())) {
    pcm.has_failed = true;
    return -EPIPE;
  }
  const int64_t now = now_ns();
  const auto due = static_cast<snd_pcm_uframes_t>((now - pcm.played_ns) * io->rate / kNsInS);
  pcm.played_frames += std::min(due, io->appl_ptr - pcm.played_frames);
  pcm.played_ns = now;
  return static_cast<snd_pcm_sframes_t>(pcm.played_frames % io->buffer_size);
}

snd_pcm_sframes_t transfer(snd_pcm_ioplug_t*, const snd_pcm_channel_area_t*, snd_pcm_uframes_t,
                           snd_pcm_uframes_t frames) {
  return static_cast<snd_pcm_sframes_t>(frames);
}

int close(snd_pcm_ioplug_t* io) {
  delete &self(io);
  return 0;
}

int poll_revents(snd_pcm_ioplug_t* io, pollfd*, unsigned int, unsigned short* events) {
  FailingPcm& pcm = self(io);
  *events = 0;
  if (pcm.has_failed) return -ENODEV;
  pcm.looks_at_room = 0;
  uint64_t looks = 0;
  if (read(pcm.timer, &looks, sizeof looks) < 0 && errno != EAGAIN) return -errno;
  snd_pcm_sframes_t free_frames = snd_pcm_avail_update(io->pcm);
  if (free_frames < 0) return static_cast<int>(free_frames);
  if (static_cast<snd_pcm_uframes_t>(free_frames) >= io->period_size) *events = POLLOUT;
  return 0;
}

const snd_pcm_ioplug_callback_t kCallbacks = [] {
  snd_pcm_ioplug_callback_t callbacks{};
  callbacks.start = start;
  callbacks.stop = stop;
  callbacks.pointer = pointer;
  callbacks.transfer = transfer;
  callbacks.close = close;
  callbacks.prepare = prepare;
  callbacks.poll_revents = poll_revents;
  return callbacks;
}();

}  // namespace

extern "C" {

SND_PCM_PLUGIN_DEFINE_FUNC(failing) {
  static_cast<void>(root);
  const char* file = "";
  snd_config_t* setting = nullptr;
  if (snd_config_search(conf, "fails_while", &setting) == 0) snd_config_get_string(setting, &file);
  auto pcm = std::make_unique<FailingPcm>(file);
  if (pcm->fails()) return -ENODEV;
  if (stream != SND_PCM_STREAM_PLAYBACK) return -EINVAL;
  pcm->io.version = SND_PCM_IOPLUG_VERSION;
  pcm->io.name = "A PCM that fails";
  pcm->io.callback = &kCallbacks;
  pcm->io.private_data = pcm.get();
  pcm->io.poll_fd = pcm->timer;
  pcm->io.poll_events = POLLIN;
  pcm->io.mmap_rw = 0;
  if (const int error = snd_pcm_ioplug_create(&pcm->io, name, stream, mode); error < 0) {
    return error;
  }
  FailingPcm& it = *pcm.release();
  const unsigned int accesses[] = {SND_PCM_ACCESS_RW_INTERLEAVED};
  const unsigned int formats[] = {SND_PCM_FORMAT_FLOAT_LE, SND_PCM_FORMAT_S16_LE};
  const auto list = [&](int what, const auto& values) {
    snd_pcm_ioplug_set_param_list(&it.io, what, static_cast<unsigned int>(std::size(values)),
                                  values);
  };
  list(SND_PCM_IOPLUG_HW_ACCESS, accesses);
  list(SND_PCM_IOPLUG_HW_FORMAT, formats);
  snd_pcm_ioplug_set_param_minmax(&it.io, SND_PCM_IOPLUG_HW_CHANNELS, 1, 8);
  snd_pcm_ioplug_set_param_minmax(&it.io, SND_PCM_IOPLUG_HW_RATE, 8000, 192'000);
  snd_pcm_ioplug_set_param_minmax(&it.io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 128, 1 << 18);
  snd_pcm_ioplug_set_param_minmax(&it.io, SND_PCM_IOPLUG_HW_BUFFER_BYTES, 256, 1 << 20);
  snd_pcm_ioplug_set_param_minmax(&it.io, SND_PCM_IOPLUG_HW_PERIODS, 2, 64);
  *pcmp = it.io.pcm;
  return 0;
}
SND_PCM_PLUGIN_SYMBOL(failing);

}  // extern "C"
