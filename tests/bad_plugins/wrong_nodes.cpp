// One type for each check of `sluice validate` that misbehaving.cpp has none for.
#include <fcntl.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cfenv>
#include <cmath>
#include <cstdlib>
#include <sluice/net.hpp>
#include <sluice/sluice.hpp>
#include <thread>
#include <vector>

namespace {

using sluice::Filter;
using sluice::Info;
using sluice::Passive;
using sluice::Setup;

// Seen by nobody but the compiler, which therefore cannot leave the work out.
volatile float heard = 0;
void* volatile kept = nullptr;

// A filter that passes its input on and then does `body`; more members in `members`.
#define WRONG_FILTER(Name, id, members, ...)                                                \
  class Name final : public Filter<Name> {                                                  \
   public:                                                                                  \
    static constexpr Info kInfo{"wrong." id, #Name, "Breaks a promise."};                   \
    void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept { \
      const size_t samples = size_t{frames} * channels;                                     \
      std::copy_n(in, samples, out);                                                        \
      __VA_ARGS__;                                                                          \
    }                                                                                       \
    members                                                                                 \
  }

WRONG_FILTER(
    LeaksInCreate, "leaks-in-create", public
    : LeaksInCreate() { kept = std::malloc(100); }, (void)samples);
WRONG_FILTER(
    LeaksInPrepare, "leaks-in-prepare", public
    : void prepare(Setup&) { kept = std::malloc(2000); }, (void)samples);
WRONG_FILTER(ReadsBeyond, "reads-beyond", , heard = in[samples]);
WRONG_FILTER(CountsCalls, "counts-calls", float calls_ = 0;, calls_ += 1;
             for (size_t i = 0; i < samples; ++i) out[i] += calls_ / 1000);
WRONG_FILTER(FewChannels, "few-channels", , if (channels > 8) std::abort());
WRONG_FILTER(Hums, "hums", , for (size_t i = 0; i < samples; ++i) out[i] += 0.01f);
WRONG_FILTER(
    Remembers, "remembers", float last_ = 0; public
    : void reset() noexcept {}, for (size_t i = 0; i < samples; ++i) {
      if (out[i] != 0) last_ = out[i];
      out[i] = last_;
    });
float shared = 0;
WRONG_FILTER(
    Shares, "shares", , for (size_t i = 0; i < samples; ++i) {
      shared = 0.9f * shared + out[i];
      out[i] = shared;
    });
WRONG_FILTER(Rounds, "rounds", , (void)samples; std::fesetround(FE_TOWARDZERO));
WRONG_FILTER(
    Averages, "averages", float sum_ = 0;, for (size_t i = 0; i < samples; ++i) {
      sum_ = 0.5f * sum_ + 0.5f * out[i];
      out[i] = sum_;
    });
WRONG_FILTER(Computes, "computes", ,
             for (size_t i = 0; i < 1'500'000; ++i) heard = std::sqrt(heard + 1));

#undef WRONG_FILTER

// Its texts are no sentences, its parameter hides its unit.
class Writes final : public Filter<Writes> {
 public:
  static constexpr Info kInfo{"wrong.writes", "Writes", "badly said"};
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("hold", "ms", 0, 100, 1, "how long")};
  void filter(const float*, float*, uint32_t, uint32_t) noexcept {}
};

class Steps final : public Filter<Steps> {
 public:
  static constexpr Info kInfo{"wrong.steps", "Steps", "Breaks a promise."};
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("level_percent", "%", 0, 100, 100, "The level.", sluice::kLive)};
  void prepare(Setup&) { level_ = number(0) / 100; }
  void parameter(uint32_t, double level_percent) noexcept { level_ = level_percent / 100; }
  void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    const auto level = static_cast<float>(level_);
    std::transform(in, in + size_t{frames} * channels, out, [=](float x) { return x * level; });
  }

 private:
  double level_ = 1;
};

class Divides final : public Filter<Divides> {
 public:
  static constexpr Info kInfo{"wrong.divides", "Divides", "Breaks a promise."};
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("length_ms", "ms", 0, 100, 10, "A length.")};
  void prepare(Setup&) { length_ms_ = static_cast<float>(number(0)); }
  void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    std::transform(in, in + size_t{frames} * channels, out,
                   [&](float x) { return x / length_ms_; });
  }

 private:
  float length_ms_ = 1;
};

// Only both together are too much.
class Combines final : public Filter<Combines> {
 public:
  static constexpr Info kInfo{"wrong.combines", "Combines", "Breaks a promise."};
  static constexpr sluice_parameter kParameters[] = {
      sluice::integer("first", nullptr, 0, 9, 0, "A number."),
      sluice::integer("second", nullptr, 0, 9, 0, "A number.")};
  void prepare(Setup&) {
    if (number(0) + number(1) > 12) std::abort();
  }
  void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    std::copy_n(in, size_t{frames} * channels, out);
  }
};

// Goes by the input alone, whatever room there is; and forgets marks.
template <bool looks_at_room>
class Copies : public Passive<Copies<looks_at_room>> {
 public:
  static constexpr Info kInfo{looks_at_room ? "wrong.loses-marks" : "wrong.ignores-room", "Copies",
                              "Breaks a promise."};
  static constexpr const auto& kPorts = sluice::kFilterPorts;
  void prepare(Setup& setup) { channels_ = setup.channels(); }
  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = block.inputs[0];
    sluice_output& out = block.outputs[0];
    const uint32_t frames = looks_at_room ? std::min(in.frames, out.frames) : in.frames;
    const uint32_t written = std::min(frames, out.frames);
    std::copy_n(static_cast<const float*>(in.data), size_t{written} * channels_,
                static_cast<float*>(out.data));
    in.consumed = out.produced = frames;
    const bool is_over = (in.flags & SLUICE_INPUT_ENDED) != 0 && frames == in.frames;
    return is_over ? SLUICE_STATUS_DRAINED : SLUICE_STATUS_CONTINUE;
  }

 private:
  uint32_t channels_ = 1;
};

class NeedsBoth final : public Passive<NeedsBoth> {
 public:
  static constexpr Info kInfo{"wrong.needs-both", "Needs both", "Breaks a promise."};
  static constexpr sluice_port kPorts[] = {
      sluice::input("in", "Audio.", sluice::kOfferF32),
      sluice::input("key", "Audio.", sluice::kOfferF32, SLUICE_PORT_OPTIONAL)};
  sluice_status process(sluice_block& block) noexcept {
    heard = static_cast<const float*>(block.inputs[1].data)[0] +
            static_cast<float>(1 / block.inputs[1].frames);
    for (uint32_t i = 0; i < 2; ++i) block.inputs[i].consumed = block.inputs[i].frames;
    return (block.inputs[0].flags & SLUICE_INPUT_ENDED) ? SLUICE_STATUS_DRAINED
                                                        : SLUICE_STATUS_CONTINUE;
  }
};

// A sink whose run is `body`, which ends with it; `member` is of its own.
#define WRONG_SINK(Name, id, member, ...)                                                       \
  class Name final : public sluice::Threaded<Name> {                                            \
   public:                                                                                      \
    static constexpr Info kInfo{"wrong." id, #Name, "Breaks a promise."};                       \
    static constexpr sluice_port kPorts[] = {sluice::input("in", "Audio.", sluice::kOfferF32)}; \
    static constexpr sluice_parameter kParameters[] = {                                         \
        sluice::number("level_db", "dB", -60, 0, -6, "A level.", sluice::kLive)};               \
    void run() { __VA_ARGS__; }                                                                 \
    bool take() {                                                                               \
      const sluice_read_span span = begin_read(0, 4096);                                        \
      end_read(0, span.frames);                                                                 \
      return !(span.flags & SLUICE_INPUT_ENDED);                                                \
    }                                                                                           \
    member                                                                                      \
  }

WRONG_SINK(GoesOn, "goes-on", , while (wait(on_input(0)) == SLUICE_OK) take());
WRONG_SINK(NeverStops, "never-stops", ,
           for (bool is_on = true; is_on; is_on = take()) wait(on_input(0)));
WRONG_SINK(
    SleepsInRun, "sleeps-in-run", , while (wait(on_input(0)) == SLUICE_OK && take()) {
      const timespec moment{0, 1};
      nanosleep(&moment, nullptr);
    });
WRONG_SINK(
    HoldsSpan, "holds-span", , while (wait(on_input(0)) == SLUICE_OK) {
      const sluice_read_span span = begin_read(0, 64);
      if (wait(on_input(0)) == SLUICE_ERROR_STOPPED) break;
      end_read(0, span.frames);
      if (span.flags & SLUICE_INPUT_ENDED) break;
    });
WRONG_SINK(
    FearsChange, "fears-change", , for (;;) {
      std::array items{on_input(0), on_parameters()};
      if (wait(items) != SLUICE_OK) return;
      if (items[1].ready) std::abort();
      if (items[0].ready && !take()) return;
    });
WRONG_SINK(LeaksFiles, "leaks-files", , open("/dev/null", O_RDONLY | O_CLOEXEC);
           while (wait(on_input(0)) == SLUICE_OK && take()){});

// What a client sees of its connection.
struct Meeting {
  sluice_stream_info state;
  sluice_result result;  // of receive
  std::array<unsigned char, 64> data;
  size_t count;
  int64_t lasts_ns;
};

// Connects and lets `bear` see what the peer does.
template <typename T>
class Client : public sluice::Threaded<T> {
 public:
  static constexpr sluice_port kPorts[] = {sluice::input("in", "Audio.", sluice::kOfferF32)};
  void prepare(Setup&) {
    net_ = {this->host(), this->template extension<sluice_net_host>(SLUICE_NET_HOST)};
  }
  void run() {
    sluice_stream_options options{};
    options.struct_size = sizeof(options);
    sluice::Stream stream = sluice::connect(net_, "peer.example", 4953, options);
    const int64_t begun_ns = this->now_ns();
    for (bool is_on = true; is_on;) {
      const auto item = this->on_stream(stream.get(), SLUICE_NET_READ);
      if (this->wait(item, this->now_ns() + 100'000'000) == SLUICE_ERROR_STOPPED) return;
      Meeting meeting{};
      meeting.state = stream.info();
      meeting.result = stream.receive(meeting.data.data(), meeting.data.size(), meeting.count);
      meeting.lasts_ns = this->now_ns() - begun_ns;
      static_cast<T*>(this)->bear(meeting, stream);
      const sluice_read_span span = this->begin_read(0, 65536);
      this->end_read(0, span.frames);
      is_on = !(span.flags & SLUICE_INPUT_ENDED) && meeting.result != SLUICE_ERROR_NETWORK &&
              !(meeting.result == SLUICE_OK && meeting.count == 0);
    }
  }

 private:
  sluice::Net net_;
};

class Impatient final : public Client<Impatient> {
 public:
  static constexpr Info kInfo{"wrong.impatient", "Impatient", "Breaks a promise."};
  void bear(const Meeting& meeting, sluice::Stream&) {
    if (meeting.state.state != SLUICE_STREAM_OPEN && meeting.lasts_ns > 1'000'000'000) std::abort();
  }
};

// Takes what was not taken for the end of the world.
class Pushes final : public Client<Pushes> {
 public:
  static constexpr Info kInfo{"wrong.pushes", "Pushes", "Breaks a promise."};
  void bear(const Meeting& meeting, sluice::Stream& stream) {
    if (meeting.state.state != SLUICE_STREAM_OPEN) return;
    static const std::array<char, 60'000> kBytes{};
    size_t sent = 0;
    if (stream.send(kBytes.data(), kBytes.size(), sent) == SLUICE_ERROR_AGAIN) std::abort();
  }
};

class Trusts final : public Client<Trusts> {
 public:
  static constexpr Info kInfo{"wrong.trusts", "Trusts", "Breaks a promise."};
  void bear(const Meeting& meeting, sluice::Stream&) {
    if (meeting.count > 0 && meeting.data[0] > 32) std::abort();
  }
};

// Its callback goes on after stop.
class Restless final : public sluice::Device<Restless> {
 public:
  static constexpr Info kInfo{"wrong.restless", "Restless", "Breaks a promise."};
  static constexpr sluice_port kPorts[] = {
      sluice::output("out", "Audio.", sluice::kOfferF32, SLUICE_PORT_LIVE, SLUICE_CLOCK_DEVICE)};
  ~Restless() {
    is_on_ = false;
    if (thread_.joinable()) thread_.join();
  }
  void start() {
    if (thread_.joinable()) return;
    thread_ = std::thread([this] {
      static const float kSilence[1024] = {};
      const void* const captured[] = {kSilence};
      while (is_on_) {
        cycle({sizeof(sluice_cycle), 64, now_ns(), captured, nullptr});
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    });
  }
  void stop() noexcept {}

 private:
  std::atomic<bool> is_on_{true};
  std::thread thread_;
};

}  // namespace

SLUICE_PLUGIN("Wrong nodes", "1", "Tests", "MIT", LeaksInCreate, LeaksInPrepare, ReadsBeyond,
              CountsCalls, FewChannels, Hums, Remembers, Shares, Rounds, Averages, Computes, Writes,
              Steps, Divides, Combines, Copies<true>, Copies<false>, NeedsBoth, GoesOn, NeverStops,
              SleepsInRun, HoldsSpan, FearsChange, LeaksFiles, Impatient, Pushes, Trusts, Restless);
