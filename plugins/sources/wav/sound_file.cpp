#include "plugins/sources/wav/sound_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <sluice/sluice.hpp>
#include <string_view>
#include <system_error>

namespace {

using sluice::Failure;

std::string system_reason() { return std::generic_category().message(errno); }

Failure cannot_open(const std::string& path) {
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
      return {SLUICE_ERROR_NOT_FOUND, "There is no file '" + path + "'."};
    case EACCES:
      return {SLUICE_ERROR_PERMISSION, "'" + path + "' may not be read by this user."};
    default:
      return {SLUICE_ERROR_IO, "'" + path + "' cannot be opened: " + system_reason() + "."};
  }
}

uint64_t number_after(std::string_view text, std::string_view words) {
  const size_t at = text.find(words);
  uint64_t number = 0;
  if (at != text.npos) {
    std::from_chars(text.data() + at + words.size(), text.data() + text.size(), number);
  }
  return number;
}

}  // namespace

SoundFile::SoundFile(const std::string& path) : path_(path) {
  // Without O_NONBLOCK, opening a named pipe would wait for its writer.
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) throw cannot_open(path);
  try {
    struct stat status {};
    if (fstat(descriptor_, &status) != 0) throw cannot_open(path);
    if (S_ISDIR(status.st_mode)) {
      throw Failure{SLUICE_ERROR_ARGUMENT, "'" + path + "' is a folder; name a file in it."};
    }
    if (!S_ISREG(status.st_mode)) {
      throw Failure{SLUICE_ERROR_ARGUMENT,
                    "'" + path + "' is a device or a pipe; this node plays regular files."};
    }
    if (status.st_size == 0) throw Failure{SLUICE_ERROR_FORMAT, "'" + path + "' is empty."};
    SF_INFO info{};
    file_ = sf_open_fd(descriptor_, SFM_READ, &info, SF_FALSE);
    if (!file_) {
      throw Failure{SLUICE_ERROR_FORMAT, "'" + path + "' is no sound file that can be read here: " +
                                             std::string(sf_strerror(nullptr))};
    }
    choose_access(info);
    find_cut(info);
  } catch (...) {
    if (file_) sf_close(file_);
    close(descriptor_);
    throw;
  }
  posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
}

SoundFile::~SoundFile() {
  sf_close(file_);
  close(descriptor_);
}

void SoundFile::choose_access(const SF_INFO& info) {
  const int container = info.format & SF_FORMAT_TYPEMASK;
  sluice_sample_format samples = SLUICE_SAMPLE_F32;
  switch (info.format & SF_FORMAT_SUBMASK) {
    case SF_FORMAT_FLOAT:
    case SF_FORMAT_DOUBLE:
    case SF_FORMAT_VORBIS:
    case SF_FORMAT_OPUS:
    case SF_FORMAT_MPEG_LAYER_I:
    case SF_FORMAT_MPEG_LAYER_II:
    case SF_FORMAT_MPEG_LAYER_III:
      access_ = Access::kFloat;
      break;
    case SF_FORMAT_PCM_32:
    case SF_FORMAT_ALAC_32:
      access_ = Access::kInt;
      samples = SLUICE_SAMPLE_S32;
      break;
    case SF_FORMAT_PCM_24:
    case SF_FORMAT_ALAC_20:
    case SF_FORMAT_ALAC_24:
    case SF_FORMAT_DWVW_24: {
      // Where the file holds what the port carries, byte for byte, it is not unpacked on the way.
      const bool is_plain = (container == SF_FORMAT_WAV || container == SF_FORMAT_WAVEX ||
                             container == SF_FORMAT_RF64 || container == SF_FORMAT_W64) &&
                            sf_command(file_, SFC_RAW_DATA_NEEDS_ENDSWAP, nullptr, 0) == SF_FALSE;
      access_ = is_plain ? Access::kRaw : Access::kInt24;
      samples = SLUICE_SAMPLE_S24;
      break;
    }
    default:
      access_ = Access::kShort;
      samples = SLUICE_SAMPLE_S16;
  }
  is_mpeg_ = container == SF_FORMAT_MPEG;
  const auto channels = static_cast<uint32_t>(info.channels);
  const auto rate_hz = static_cast<uint32_t>(info.samplerate);
  if (channels < 1 || channels > SLUICE_MAX_CHANNELS) {
    throw Failure{SLUICE_ERROR_FORMAT, "'" + path_ + "' has " + std::to_string(channels) +
                                           " channels; 1 to " +
                                           std::to_string(SLUICE_MAX_CHANNELS) + " are possible."};
  }
  if (rate_hz < SLUICE_MIN_RATE_HZ || rate_hz > SLUICE_MAX_RATE_HZ) {
    throw Failure{SLUICE_ERROR_FORMAT, "'" + path_ + "' has a rate of " + std::to_string(rate_hz) +
                                           " Hz; " + std::to_string(SLUICE_MIN_RATE_HZ) + " to " +
                                           std::to_string(SLUICE_MAX_RATE_HZ) + " are possible."};
  }
  format_ = {sizeof(sluice_format), samples, channels, rate_hz};
  frames_ = static_cast<uint64_t>(std::max<sf_count_t>(info.frames, 0));
}

void SoundFile::find_cut(const SF_INFO& info) {
  const int container = info.format & SF_FORMAT_TYPEMASK;
  if (container != SF_FORMAT_WAV && container != SF_FORMAT_WAVEX) return;
  // Only its log tells that the data chunk is longer than the file. All ones stand for "unknown",
  // as a program that writes into a pipe leaves them.
  char log[2048] = {};
  sf_command(file_, SFC_GET_LOG_INFO, log, sizeof(log));
  std::string_view line(log);
  line.remove_prefix(std::min(line.find("\ndata : "), line.size()));
  line = line.substr(0, line.find('\n', 1));
  const uint64_t announced = number_after(line, "data : ");
  const uint64_t there = number_after(line, "(should be ");
  if (there == 0 || there >= announced || announced >= 0xfffff000u) return;
  complaint_ = "'" + path_ + "' is cut off: its header announces " + std::to_string(announced) +
               " bytes of audio, " + std::to_string(there) + " are there and will be played.";
}

// The length of an MP3 of variable bit rate without a Xing or VBRI header is a guess of
// libsndfile's from its first frames, and beyond it libsndfile reads no further.
void SoundFile::find_misjudged_length() {
  constexpr off_t kTagsBytes = 32 * 1024;
  struct stat status {};
  const off_t place = lseek(descriptor_, 0, SEEK_CUR);
  if (place < 0 || fstat(descriptor_, &status) != 0) return;
  if (status.st_size - place < kTagsBytes) return;
  complaint_ = "'" + path_ +
               "' is longer than can be told without a Xing header, and is played up to " +
               std::to_string(position_ / format_.rate_hz) +
               " s only; 'ffmpeg -i FILE -c copy NEW.mp3' adds that header.";
}

void SoundFile::lock() {
  if (flock(descriptor_, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw Failure{SLUICE_ERROR_STATE,
                  "'" + path_ + "' is being written; wait for its end or name another file."};
  }
}

void SoundFile::seek(uint64_t frame) {
  if (sf_seek(file_, static_cast<sf_count_t>(frame), SEEK_SET) < 0) {
    throw Failure{SLUICE_ERROR_IO, "'" + path_ + "' cannot be played from frame " +
                                       std::to_string(frame) + ": " + sf_strerror(file_)};
  }
  position_ = frame;
}

uint32_t SoundFile::read(void* to, uint32_t frames) {
  const auto wanted = static_cast<sf_count_t>(frames);
  sf_count_t got = 0;
  switch (access_) {
    case Access::kShort:
      got = sf_readf_short(file_, static_cast<short*>(to), wanted);
      break;
    case Access::kInt:
      got = sf_readf_int(file_, static_cast<int*>(to), wanted);
      break;
    case Access::kFloat:
      got = sf_readf_float(file_, static_cast<float*>(to), wanted);
      break;
    case Access::kRaw: {
      const sf_count_t bytes = sluice::frame_bytes(format_);
      got = sf_read_raw(file_, to, wanted * bytes) / bytes;
      break;
    }
    case Access::kInt24:
      got = read_int24(to, frames);
  }
  const auto done = static_cast<uint32_t>(std::max<sf_count_t>(got, 0));
  position_ += done;
  if (done < frames && sf_error(file_) != SF_ERR_NO_ERROR) {
    complaint_ = "'" + path_ + "' is damaged or cut off: it can be read up to frame " +
                 std::to_string(position_) + " only. " + sf_strerror(file_);
  }
  if (is_mpeg_ && position_ == frames_ && complaint_.empty()) find_misjudged_length();
  return done;
}

uint32_t SoundFile::read_int24(void* to, uint32_t frames) {
  wide_.resize(std::max(wide_.size(), size_t{frames} * format_.channels));
  const sf_count_t got = sf_readf_int(file_, wide_.data(), frames);
  const auto samples = static_cast<size_t>(std::max<sf_count_t>(got, 0)) * format_.channels;
  auto* packed = static_cast<unsigned char*>(to);
  for (size_t i = 0; i < samples; ++i) {
    const int sample = wide_[i] >> 8;
    std::memcpy(packed + 3 * i, &sample, 3);
  }
  return static_cast<uint32_t>(samples / format_.channels);
}
