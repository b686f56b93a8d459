// What stands between PortAudio and libasound, so that PortAudio can be stopped when an ALSA plugin
// has lost its server.
//
// The thread of a stream in PortAudio 19.6 has cancellation off but where it polls, and goes round
// for ever where a call fails behind a label `error` that leads back to it: in
// PaAlsaStream_WaitForFrames if polling fails while frames of the last period are left over, and
// there and in PaAlsaStream_SetUpBuffers if a device cannot be prepared again after an underrun. A
// processor is busy then, stderr fills, and Pa_AbortStream never returns. So a failed poll is taken
// for one that brought nothing, which has PortAudio poll again; and after a failure to prepare the
// thread can be cancelled for a while, where it next asks for the status, holding no lock. Whoever
// misses its callbacks closes the stream. The dynamic linker finds these functions before
// libasound's, since the plugin stands first in the scope of the libraries that are loaded for it.
#include <alsa/asoundlib.h>
#include <dlfcn.h>
#include <pthread.h>

#include <chrono>
#include <thread>

#define SLUICE_EXPORTED __attribute__((visibility("default")))

namespace {

// libasound's own function of that name.
template <typename Function>
Function* alsas_own(const char* name) {
  static void* const library = dlopen("libasound.so.2", RTLD_LAZY | RTLD_NOLOAD);
  return reinterpret_cast<Function*>(dlsym(library, name));
}

thread_local bool cannot_prepare = false;

// A while in which the calling thread can be cancelled.
void rest() {
  int state = PTHREAD_CANCEL_ENABLE;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  pthread_setcancelstate(state, nullptr);
}

}  // namespace

extern "C" {

SLUICE_EXPORTED int snd_pcm_poll_descriptors_revents(snd_pcm_t* pcm, pollfd* descriptors,
                                                     unsigned int count, unsigned short* events) {
  static auto* const look =
      alsas_own<decltype(snd_pcm_poll_descriptors_revents)>("snd_pcm_poll_descriptors_revents");
  if (look(pcm, descriptors, count, events) < 0) {
    rest();
    *events = 0;
  }
  return 0;
}

SLUICE_EXPORTED int snd_pcm_prepare(snd_pcm_t* pcm) {
  static auto* const prepare = alsas_own<decltype(snd_pcm_prepare)>("snd_pcm_prepare");
  const int error = prepare(pcm);
  cannot_prepare = error < 0;
  return error;
}

SLUICE_EXPORTED int snd_pcm_status(snd_pcm_t* pcm, snd_pcm_status_t* status) {
  static auto* const ask = alsas_own<decltype(snd_pcm_status)>("snd_pcm_status");
  if (cannot_prepare) rest();
  return ask(pcm, status);
}

}  // extern "C"
