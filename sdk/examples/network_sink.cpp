// A sink with a TCP connection: sends s16 frames, and connects again when the peer goes away.
#include <cstdint>
#include <sluice/back_off.hpp>
#include <sluice/net.hpp>
#include <sluice/sluice.hpp>
#include <string>

namespace {

constexpr uint32_t kMostFrames = 4096;
constexpr sluice_stream_options kNoDelay{sizeof(kNoDelay), 1, 0, 0, 0, 0, 0, 0, 0};

class Send : public sluice::Threaded<Send> {
 public:
  static constexpr sluice::Info kInfo{"org.example.sink.send", "Send", "Sends frames over TCP."};
  static constexpr sluice_parameter kParameters[] = {
      sluice::text("host", "127.0.0.1", "Name or address of the server."),
      sluice::integer("port", nullptr, 1, 65'535, 4953, "Its port.")};
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("lost_frames", "frames", "Frames that came while there was no connection.")};
  static constexpr sluice_format_offer kOffers[] = {
      sluice::offer(SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S16), SLUICE_SAMPLE_S16)};
  static constexpr sluice_port kPorts[] = {sluice::input("in", "What is sent.", kOffers)};

  void prepare(sluice::Setup& setup) {
    net_ = {host(), extension<sluice_net_host>(SLUICE_NET_HOST)};
    frame_bytes_ = sluice::frame_bytes(setup.format());
    back_off_ = sluice::BackOff(setup.seed());  // the same waits in the same graph
    was_connected_ = false;
  }

  void run() {
    for (int64_t next_ns = now_ns();;) {
      // Sources wait for the first connection; later on they go on without one.
      const auto result = was_connected_ ? wait(on_input(0), next_ns) : sleep_until(next_ns);
      if (result == SLUICE_ERROR_STOPPED) return;
      if (now_ns() >= next_ns) {
        if (!send_while_connected()) return;
        back_off_.session_ended(now_ns() - next_ns);
        next_ns = now_ns() + back_off_.next_ns();
      }
      const sluice_read_span span = begin_read(0, was_connected_ ? kMostFrames : 0);
      end_read(0, span.frames);
      add(0, span.frames);
      if (span.flags & SLUICE_INPUT_ENDED) return;
    }
  }

 private:
  bool send_while_connected() {  // false: it is to stop, or its input has ended
    sluice::Stream stream =
        sluice::connect(net_, std::string(text(0)), static_cast<uint16_t>(integer(1)), kNoDelay);
    for (size_t behind = 0; stream;) {  // bytes of a frame that went out in part
      if (wait(on_stream(stream.get(), SLUICE_NET_WRITE)) != SLUICE_OK) return false;
      if (stream.info().state != SLUICE_STREAM_OPEN) break;
      was_connected_ = true;
      if (wait(on_input(0)) != SLUICE_OK) return false;
      const sluice_read_span span = begin_read(0, kMostFrames);
      size_t there = size_t{span.frames} * frame_bytes_, sent = 0;
      const auto* bytes = static_cast<const char*>(span.data) + behind;
      const auto result = there > behind ? stream.send(bytes, there - behind, sent) : SLUICE_OK;
      behind += sent;
      end_read(0, static_cast<uint32_t>(behind / frame_bytes_));
      if ((span.flags & SLUICE_INPUT_ENDED) && behind >= there) return false;
      behind %= frame_bytes_;
      if (result == SLUICE_ERROR_NETWORK) break;
    }
    return true;
  }

  sluice::Net net_;
  sluice::BackOff back_off_{0};
  uint32_t frame_bytes_ = 1;
  bool was_connected_ = false;
};

}  // namespace

SLUICE_PLUGIN("Send", "1.0.0", "Example", "MIT", Send);
