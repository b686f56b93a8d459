// A filter, a source and a sink that get into trouble when they are told to, and a filter that says
// what it is kept from. Harmless to whoever loads them.
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sluice/state.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <sluice/sluice.hpp>
#include <string>
#include <thread>

namespace {

constexpr const char* kTroubles[] = {"none", "segfault", "abort", "exit", "hang"};

void get_into(uint32_t trouble) {
  switch (trouble) {
    case 1:
      raise(SIGSEGV);
      break;
    case 2:
      std::abort();
    case 3:
      _exit(0);
    case 4:
      for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    default:
      break;
  }
}

constexpr sluice_parameter kTrouble =
    sluice::choice("trouble", kTroubles, 0, "What happens.", sluice::kLive);

// Of the one that was built anew.
#ifndef TROUBLED_GAIN
#define TROUBLED_GAIN 1.0F
#endif

class TroubledFilter final : public sluice::Filter<TroubledFilter> {
 public:
  static constexpr sluice::Info kInfo{"bad.troubled", "Troubled", "Passes on, until told."};
  static constexpr sluice_parameter kParameters[] = {kTrouble};
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("frames", "frames", "Passed on.")};
  void parameter(uint32_t, double value) noexcept { get_into(static_cast<uint32_t>(value)); }
  void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    for (size_t i = 0; i < size_t{frames} * channels; ++i) out[i] = TROUBLED_GAIN * in[i];
    add(0, frames);
  }
};

// Gives how many have handed it on, itself included.
class Inherits final : public sluice::Filter<Inherits> {
 public:
  static constexpr sluice::Info kInfo{"bad.inherits", "Inherits", "Knows its ancestors."};
  const void* get_extension(std::string_view id) const {
    static constexpr sluice_state kTable{
        [](sluice_node* node, void* context, void (*take)(void*, const void*, size_t)) {
          take(context, &self(node).generation_, sizeof(float));
          return sluice_result{SLUICE_OK};
        },
        [](sluice_node* node, const void* data, size_t size_bytes) {
          if (size_bytes != sizeof(float)) return sluice_result{SLUICE_ERROR_ARGUMENT};
          std::memcpy(&self(node).generation_, data, size_bytes);
          self(node).generation_ += 1;
          return sluice_result{SLUICE_OK};
        }};
    return id == SLUICE_STATE ? &kTable : nullptr;
  }
  void filter(const float*, float* out, uint32_t frames, uint32_t channels) noexcept {
    std::fill_n(out, size_t{frames} * channels, generation_);
  }

 private:
  static Inherits& self(sluice_node* node) { return *reinterpret_cast<Inherits*>(node); }
  float generation_ = 1;
};

// From the first block of every process on.
class TroubledAtOnce final : public sluice::Filter<TroubledAtOnce> {
 public:
  static constexpr sluice::Info kInfo{"bad.troubled-at-once", "Troubled", "Never passes on."};
  static constexpr sluice_parameter kParameters[] = {kTrouble};
  void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    get_into(choice(0));
    std::copy_n(in, size_t{frames} * channels, out);
  }
};

class TroubledInPrepare final : public sluice::Filter<TroubledInPrepare> {
 public:
  static constexpr sluice::Info kInfo{"bad.troubled-in-prepare", "Troubled", "Never runs."};
  static constexpr sluice_parameter kParameters[] = {kTrouble};
  void prepare(sluice::Setup&) { get_into(choice(0)); }
  void filter(const float*, float*, uint32_t, uint32_t) noexcept {}
};

class TroubledSink final : public sluice::Threaded<TroubledSink> {
 public:
  static constexpr sluice::Info kInfo{"bad.troubled-sink", "Troubled", "Reads, until told."};
  static constexpr sluice_port kPorts[] = {sluice::input("in", "Audio.", sluice::kOfferF32)};
  static constexpr sluice_parameter kParameters[] = {kTrouble};
  static constexpr sluice_statistic kStatistics[] = {sluice::counter("frames", "frames", "Read.")};
  void run() {
    for (;;) {
      std::array items = {on_input(0, 480), on_parameters()};
      if (wait(items) == SLUICE_ERROR_STOPPED) return;
      if (items[1].ready != 0) get_into(choice(0));
      const sluice_read_span span = begin_read(0, 480);
      add(0, span.frames);
      end_read(0, span.frames);
      if ((span.flags & SLUICE_INPUT_ENDED) != 0) return;
    }
  }
};

// Tries, once, whatever a plugin has no business doing; says what it could do.
class Curious final : public sluice::Filter<Curious> {
 public:
  static constexpr sluice::Info kInfo{"bad.curious", "Curious", "Looks around."};
  static constexpr sluice_parameter kParameters[] = {
      sluice::text("secret", "", "A file nobody declared."),
      sluice::text("declared", "", "A file that it declares.", sluice::kInputPath),
      sluice::text("written", "", "A file that it declares to write.", sluice::kOutputPath)};
  static constexpr sluice_statistic kStatistics[] = {
      sluice::gauge("is_reading_secret", nullptr, "Could open the secret."),
      sluice::gauge("is_reading_declared", nullptr, "Could open the declared file."),
      sluice::gauge("is_writing_declared", nullptr, "Could write the declared file."),
      sluice::gauge("is_writing_secret", nullptr, "Could write the secret."),
      sluice::gauge("is_connecting", nullptr, "Could make a TCP socket."),
      sluice::gauge("is_forking", nullptr, "Could start a process."),
      sluice::gauge("is_signalling", nullptr, "Could signal its parent."),
      sluice::gauge("is_threading", nullptr, "Could start a thread.")};
  void prepare(sluice::Setup&) {
    set(0, opens(text(0), O_RDONLY));
    set(1, opens(text(1), O_RDONLY));
    set(2, opens(text(2), O_WRONLY | O_CREAT));
    set(3, opens(text(0), O_WRONLY));
    const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set(4, made >= 0 ? 1 : 0);
    if (made >= 0) close(made);
    const pid_t child = fork();
    if (child == 0) _exit(0);
    if (child > 0) waitpid(child, nullptr, 0);
    set(5, child > 0 ? 1 : 0);
    set(6, kill(getppid(), 0) == 0 ? 1 : 0);
    std::atomic<bool> has_run{false};
    std::thread([&] { has_run = true; }).join();
    set(7, has_run ? 1 : 0);
  }
  void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    std::copy_n(in, size_t{frames} * channels, out);
  }

 private:
  static double opens(std::string_view path, int flags) {
    const int descriptor = open(std::string(path).c_str(), flags | O_CLOEXEC, 0600);
    if (descriptor >= 0) close(descriptor);
    return descriptor >= 0 ? 1 : 0;
  }
};

}  // namespace

SLUICE_PLUGIN("Troubled", "1.0.0", "Sluice", "MIT", TroubledFilter, Inherits, TroubledAtOnce,
              TroubledInPrepare, TroubledSink, Curious);
