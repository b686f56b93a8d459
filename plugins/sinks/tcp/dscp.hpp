// Names of packet markings.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice {

// The DSCP (RFC 2474) of voip (EF, RFC 3246), low-delay and throughput (AF21 and AF11: low-latency
// and high-throughput data, RFC 4594), best-effort (0), or of a number from 0 to 63.
inline std::optional<uint32_t> dscp_of(std::string_view word) {
  if (word == "voip") return 46;
  if (word == "low-delay") return 18;
  if (word == "throughput") return 10;
  if (word == "best-effort") return 0;
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size() || number > 63) return std::nullopt;
  return number;
}

}  // namespace sluice
