// From frames to packets: what an encoder does, here without making them smaller.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <sluice/sluice.hpp>
#include <vector>

namespace {

class Packetise : public sluice::Passive<Packetise> {
 public:
  static constexpr sluice::Info kInfo{"org.example.filter.packetise", "Packetise",
                                      "Puts s16 frames into packets of 10 ms."};
  static constexpr sluice_format_offer kOffers[] = {
      sluice::offer(SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S16), SLUICE_SAMPLE_S16)};
  static constexpr sluice_port kPorts[] = {sluice::input("in", "The frames.", kOffers),
                                           sluice::packets(SLUICE_OUTPUT, "out", "The packets.")};
  enum Port : uint32_t { kIn, kOut };

  void prepare(sluice::Setup& setup) {
    packets_ = extension<sluice_packet_host>(SLUICE_PACKET_HOST);
    frame_bytes_ = sluice::frame_bytes(setup.format(kIn));
    packet_frames_ = std::max(setup.rate_hz(kIn) / 100, 1u);
    setup.port(kIn).hold_frames = packet_frames_;  // it must see so many at once
    sequence_ = 0;
  }

  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = block.inputs[0];
    const auto* bytes = static_cast<const unsigned char*>(in.data);
    const bool has_ended = (in.flags & SLUICE_INPUT_ENDED) != 0;
    for (;;) {
      const uint32_t left = in.frames - in.consumed;
      const uint32_t frames = std::min(left, packet_frames_);
      if (frames == 0 && has_ended) return SLUICE_STATUS_DRAINED;
      if (frames < packet_frames_ && !has_ended) break;

      const uint32_t size_bytes = frames * frame_bytes_;
      void* data = nullptr;
      if (packets_->reserve(host(), kOut, size_bytes, &data) != SLUICE_OK) {
        return SLUICE_STATUS_NEED_ROOM;
      }
      std::memcpy(data, bytes + size_t{in.consumed} * frame_bytes_, size_bytes);
      sluice_packet packet{};
      packet.struct_size = sizeof(packet);
      packet.flags = SLUICE_PACKET_KEY;
      packet.size_bytes = size_bytes;
      packet.position = in.position + in.consumed;
      packet.duration_frames = frames;
      packet.sequence = sequence_++;
      packet.capture_ns = in.consumed == 0 ? in.capture_ns : SLUICE_NO_TIME;
      packet.arrival_ns = SLUICE_NO_TIME;
      packets_->commit(host(), kOut, &packet);
      in.consumed += frames;
    }
    in.wanted = packet_frames_;
    return SLUICE_STATUS_NEED_INPUT;
  }

 private:
  const sluice_packet_host* packets_ = nullptr;
  uint32_t frame_bytes_ = 0, packet_frames_ = 0;
  uint64_t sequence_ = 0;
};

}  // namespace

SLUICE_PLUGIN("Packetise", "1.0.0", "Example", "MIT", Packetise);
