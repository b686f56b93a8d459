#include "tests/support/sound_files.hpp"

#include <fmt/format.h>
#include <sndfile.h>
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <random>

namespace sluice::tests {
namespace {

SNDFILE* open_for_writing(const std::string& path, int kind, uint32_t channels, uint32_t rate_hz) {
  SF_INFO info{};
  info.channels = static_cast<int>(channels);
  info.samplerate = static_cast<int>(rate_hz);
  info.format = kind;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  if (!file) {
    fmt::print(stderr, "{}: {}\n", path, sf_strerror(nullptr));
    std::abort();
  }
  return file;
}

template <typename T, typename Read>
std::vector<T> read_all(const std::string& path, Read read) {
  SF_INFO info{};
  SNDFILE* file = sf_open(path.c_str(), SFM_READ, &info);
  std::vector<T> samples;
  if (!file) return samples;
  std::vector<T> block(static_cast<size_t>(4096 * info.channels));
  for (;;) {
    const sf_count_t frames = read(file, block.data(), sf_count_t{4096});
    if (frames <= 0) break;
    samples.insert(samples.end(), block.begin(), block.begin() + frames * info.channels);
  }
  sf_close(file);
  return samples;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = std::filesystem::temp_directory_path() / "sluice-test-XXXXXX";
  if (!mkdtemp(name.data())) std::abort();
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_sound(const std::string& path, int kind, uint32_t channels, uint32_t rate_hz,
                 const std::vector<int>& samples) {
  SNDFILE* file = open_for_writing(path, kind, channels, rate_hz);
  sf_write_int(file, samples.data(), static_cast<sf_count_t>(samples.size()));
  sf_close(file);
}

void write_sound(const std::string& path, int kind, uint32_t channels, uint32_t rate_hz,
                 const std::vector<float>& samples) {
  SNDFILE* file = open_for_writing(path, kind, channels, rate_hz);
  sf_write_float(file, samples.data(), static_cast<sf_count_t>(samples.size()));
  sf_close(file);
}

SoundInfo sound_info(const std::string& path) {
  SF_INFO info{};
  SNDFILE* file = sf_open(path.c_str(), SFM_READ, &info);
  if (!file) return {};
  sf_close(file);
  return {static_cast<uint32_t>(info.channels), static_cast<uint32_t>(info.samplerate),
          static_cast<uint64_t>(info.frames), info.format};
}

std::vector<int> read_sound_int(const std::string& path) {
  return read_all<int>(path, sf_readf_int);
}

std::vector<float> read_sound_float(const std::string& path) {
  return read_all<float>(path, sf_readf_float);
}

std::vector<int> int_noise(uint64_t count, uint32_t bits, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int> samples(count);
  for (int& sample : samples) sample = static_cast<int>(random() >> (32 - bits) << (32 - bits));
  return samples;
}

}  // namespace sluice::tests
