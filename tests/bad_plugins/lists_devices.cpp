// Lists one device as it should, and others that the host leaves out.
#include <sluice/sluice.hpp>

namespace {

class Lists final : public sluice::Threaded<Lists> {
 public:
  static constexpr sluice::Info kInfo{"bad.lists-devices", "Lists", "Lists devices."};
  static constexpr sluice_parameter kParameters[] = {sluice::text("device", "", "What is opened.")};
  static constexpr sluice_port kPorts[] = {sluice::output("out", "Audio.", sluice::kOfferF32)};

  static void list_devices(const sluice::DeviceListing& listing) {
    const auto offer =
        sluice::offer(SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S16), SLUICE_SAMPLE_S16, 2, 2, 48000, 48000);
    listing.device({.parameter = "device",
                    .selector = "card with blanks",
                    .name = "A \033[1mcard",
                    .system = "Test",
                    .remark = "Somebody has it.",
                    .is_default = true,
                    .channels = 2,
                    .rate_hz = 48000,
                    .offers = {offer}});
    listing.device({.parameter = "card", .selector = "a", .name = "A", .system = "Test"});
    listing.device({.parameter = "device", .name = "A", .system = "Test"});
    listing.device({.parameter = "device", .selector = "a\nb", .name = "A", .system = "Test"});
    listing.device({.parameter = "device", .selector = "plain", .name = "B", .system = "Test"});
    throw sluice::Failure{SLUICE_ERROR_DEVICE, "The server went away."};
  }
  void run() {}
};

class ListsNone final : public sluice::Threaded<ListsNone> {
 public:
  static constexpr sluice::Info kInfo{"bad.lists-none", "Lists none", "Opens nothing."};
  static constexpr sluice_port kPorts[] = {sluice::output("out", "Audio.", sluice::kOfferF32)};
  void run() {}
};

}  // namespace

SLUICE_PLUGIN("Lists devices", "1.0.0", "Sluice", "MIT", Lists, ListsNone);
