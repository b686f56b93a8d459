// Sound files for tests: made and looked at with libsndfile, not with the code under test.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sluice::tests {

// A folder of its own that is gone, with all in it, when the object is.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct SoundInfo {
  uint32_t channels = 0, rate_hz = 0;
  uint64_t frames = 0;
  int kind = 0;  // SF_FORMAT_*
};

// Writes a file of kind SF_FORMAT_*. Integers are left-aligned 32-bit samples. Aborts on failure.
void write_sound(const std::string& path, int kind, uint32_t channels, uint32_t rate_hz,
                 const std::vector<int>& samples);
void write_sound(const std::string& path, int kind, uint32_t channels, uint32_t rate_hz,
                 const std::vector<float>& samples);

// Empty info (channels == 0) if it cannot be read.
SoundInfo sound_info(const std::string& path);
// All that can be read of the file, as left-aligned 32-bit samples or as floats.
std::vector<int> read_sound_int(const std::string& path);
std::vector<float> read_sound_float(const std::string& path);

// Noise in which every bit of the upper `bits` of 32 changes; the rest is zero.
std::vector<int> int_noise(uint64_t count, uint32_t bits, uint32_t seed = 1);

}  // namespace sluice::tests
