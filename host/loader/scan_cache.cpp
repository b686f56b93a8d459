#include "host/loader/scan_cache.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>

#include "host/loader/descriptor.hpp"
#include "host/loader/elf_file.hpp"

namespace sluice::loader {
namespace {

constexpr std::string_view kMagic = "sluice plugin cache 1\n";
constexpr std::size_t kMostCacheBytes = std::size_t{16} << 20U;
constexpr uint32_t kMostEntries = 4096;
constexpr uint32_t kMostElements = 4096;

// FNV-1a, 64 bits: notices damage, not malice.
uint64_t checksum(std::string_view bytes) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : bytes) {
    hash ^= static_cast<uint8_t>(c);
    hash *= 1099511628211ULL;
  }
  return hash;
}

class Writer {
 public:
  template <typename Number>
  void number(Number value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void text(std::string_view value) {
    number(static_cast<uint32_t>(value.size()));
    bytes_ += value;
  }
  void optional_text(const char* value) {
    number(uint8_t{value != nullptr});
    if (value != nullptr) text(value);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Once something does not fit, everything read is zero or empty and is_ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <typename Number>
  Number number() {
    Number value{};
    const std::string_view bytes = take(sizeof(value));
    if (bytes.size() == sizeof(value)) std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }
  // Number of elements that follow.
  uint32_t count(uint32_t most) {
    const auto value = number<uint32_t>();
    if (value > most) is_ok_ = false;
    return is_ok_ ? value : 0;
  }
  std::string_view text() { return take(number<uint32_t>()); }
  bool is_ok() const { return is_ok_; }
  bool is_at_end() const { return is_ok_ && bytes_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    if (size > bytes_.size()) is_ok_ = false;
    if (!is_ok_) return {};
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  std::string_view bytes_;
  bool is_ok_ = true;
};

void write_type(Writer& out, const Type& type) {
  const sluice_type& data = type.data();
  out.number(data.execution);
  out.number(data.flags);
  out.text(data.id);
  out.text(data.name);
  out.text(data.description);
  out.number(data.port_count);
  for (const sluice_port& port : type.ports()) {
    out.number(port.direction);
    out.number(port.kind);
    out.number(port.flags);
    out.number(port.clock);
    out.text(port.key);
    out.text(port.description);
    out.number(port.offer_count);
    for (const sluice_format_offer& offer : offers(port)) {
      for (const uint32_t member :
           {offer.sample_formats, offer.preferred, offer.channels_minimum, offer.channels_maximum,
            offer.rate_hz_minimum, offer.rate_hz_maximum}) {
        out.number(member);
      }
    }
  }
  out.number(data.parameter_count);
  for (const sluice_parameter& parameter : type.parameters()) {
    out.number(parameter.kind);
    out.number(parameter.flags);
    out.text(parameter.key);
    out.text(parameter.unit);
    out.text(parameter.description);
    out.number(parameter.minimum);
    out.number(parameter.maximum);
    out.number(parameter.default_number);
    out.text(parameter.default_text);
    out.number(parameter.choice_count);
    for (const char* const choice : choices(parameter)) out.text(choice);
    out.optional_text(parameter.claim);
    out.optional_text(parameter.claim_when);
  }
  out.number(data.statistic_count);
  for (const sluice_statistic& statistic : type.statistics()) {
    out.number(statistic.kind);
    out.text(statistic.key);
    out.text(statistic.unit);
    out.text(statistic.description);
    out.optional_text(statistic.against);
  }
}

void read_type(Reader& in, TypeRecord& record) {
  const auto text = [&]() -> const char* { return record.strings.emplace_back(in.text()).c_str(); };
  const auto optional_text = [&]() -> const char* {
    return in.number<uint8_t>() != 0 ? text() : nullptr;
  };
  sluice_type& type = record.data;
  type.struct_size = sizeof(type);
  type.execution = in.number<uint32_t>();
  type.flags = in.number<uint32_t>();
  type.id = text();
  type.name = text();
  type.description = text();
  const uint32_t port_count = in.count(kMostElements);
  for (uint32_t i = 0; i < port_count && in.is_ok(); ++i) {
    sluice_port& port = record.ports.emplace_back();
    port.struct_size = sizeof(port);
    port.direction = in.number<uint32_t>();
    port.kind = in.number<uint32_t>();
    port.flags = in.number<uint32_t>();
    port.clock = in.number<uint32_t>();
    port.key = text();
    port.description = text();
    std::vector<sluice_format_offer>& port_offers = record.offers.emplace_back();
    const uint32_t offer_count = in.count(kMostElements);
    for (uint32_t j = 0; j < offer_count && in.is_ok(); ++j) {
      sluice_format_offer& offer = port_offers.emplace_back();
      offer.struct_size = sizeof(offer);
      for (uint32_t* const member :
           {&offer.sample_formats, &offer.preferred, &offer.channels_minimum,
            &offer.channels_maximum, &offer.rate_hz_minimum, &offer.rate_hz_maximum}) {
        *member = in.number<uint32_t>();
      }
    }
  }
  const uint32_t parameter_count = in.count(kMostElements);
  for (uint32_t i = 0; i < parameter_count && in.is_ok(); ++i) {
    sluice_parameter& parameter = record.parameters.emplace_back();
    parameter.struct_size = sizeof(parameter);
    parameter.kind = in.number<uint32_t>();
    parameter.flags = in.number<uint32_t>();
    parameter.key = text();
    parameter.unit = text();
    parameter.description = text();
    parameter.minimum = in.number<double>();
    parameter.maximum = in.number<double>();
    parameter.default_number = in.number<double>();
    parameter.default_text = text();
    std::vector<const char*>& parameter_choices = record.choices.emplace_back();
    const uint32_t choice_count = in.count(kMostElements);
    for (uint32_t j = 0; j < choice_count && in.is_ok(); ++j) parameter_choices.push_back(text());
    parameter.claim = optional_text();
    parameter.claim_when = optional_text();
  }
  const uint32_t statistic_count = in.count(kMostElements);
  for (uint32_t i = 0; i < statistic_count && in.is_ok(); ++i) {
    sluice_statistic& statistic = record.statistics.emplace_back();
    statistic.struct_size = sizeof(statistic);
    statistic.kind = in.number<uint32_t>();
    statistic.key = text();
    statistic.unit = text();
    statistic.description = text();
    statistic.against = optional_text();
  }
  record.link();
}

// The types of one plugin that come from the cache; never destroyed, as those of a library.
struct CachedPlugin {
  explicit CachedPlugin(std::filesystem::path path) : file(std::move(path)) {}
  std::filesystem::path file;
  std::deque<TypeRecord> records;
  std::deque<Type> types;
};
void keep(std::unique_ptr<CachedPlugin> plugin) {
  static auto* const mutex = new std::mutex;
  static auto* const all = new std::deque<std::unique_ptr<CachedPlugin>>;
  const std::lock_guard lock(*mutex);
  all->push_back(std::move(plugin));
}

std::optional<std::string> read_whole(const std::filesystem::path& file) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file, error);
  if (error || bytes > kMostCacheBytes) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  std::string content(bytes, '\0');
  in.read(content.data(), static_cast<std::streamsize>(bytes));
  if (!in) return std::nullopt;
  return content;
}

// Another process sees the old file or the new one, never half of it.
bool replace(const std::filesystem::path& file, std::string_view content) {
  const std::string temporary = file.native() + "." + std::to_string(::getpid());
  const int descriptor =
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return false;
  bool is_written = true;
  while (!content.empty() && is_written) {
    const ssize_t bytes = ::write(descriptor, content.data(), content.size());
    if (bytes >= 0) {
      content.remove_prefix(static_cast<std::size_t>(bytes));
    } else {
      is_written = errno == EINTR;
    }
  }
  is_written = ::close(descriptor) == 0 && is_written;
  if (is_written && ::rename(temporary.c_str(), file.c_str()) == 0) return true;
  ::unlink(temporary.c_str());
  return false;
}

}  // namespace

std::string encode_types(uint16_t abi_minor, std::span<const Type* const> types) {
  Writer out;
  out.number(abi_minor);
  out.number(static_cast<uint32_t>(types.size()));
  for (const Type* const type : types) write_type(out, *type);
  return out.take();
}

bool decode_types(std::string_view content, const std::filesystem::path& path,
                  std::vector<const Type*>& types) {
  Reader in(content);
  auto plugin = std::make_unique<CachedPlugin>(path);
  const auto abi_minor = in.number<uint16_t>();
  const uint32_t count = in.count(kMostElements);
  for (uint32_t i = 0; i < count && in.is_ok(); ++i) {
    TypeRecord& record = plugin->records.emplace_back();
    read_type(in, record);
    if (!in.is_ok() || !check_type(record, abi_minor, false).empty()) return false;
    plugin->types.emplace_back(record.data, plugin->file);
  }
  if (!in.is_at_end()) return false;
  for (const Type& type : plugin->types) types.push_back(&type);
  keep(std::move(plugin));
  return true;
}

ScanCache::ScanCache(std::filesystem::path file) : file_(std::move(file)) {
  if (!file_.empty()) read();
}

void ScanCache::read() {
  const auto content = read_whole(file_);
  if (!content || !content->starts_with(kMagic)) return;
  Reader in(std::string_view(*content).substr(kMagic.size()));
  const auto sum = in.number<uint64_t>();
  if (!in.is_ok() ||
      sum != checksum(std::string_view(*content).substr(kMagic.size() + sizeof(sum)))) {
    return;
  }
  if (in.text() != SLUICE_VERSION || in.number<uint32_t>() != host_build_flags()) return;
  std::map<std::string, Entry> entries;
  const uint32_t count = in.count(kMostEntries);
  for (uint32_t i = 0; i < count && in.is_ok(); ++i) {
    std::string path(in.text());
    Entry entry;
    entry.stamp.bytes = in.number<uint64_t>();
    entry.stamp.modified_ns = in.number<int64_t>();
    entry.content = in.text();
    entries.insert_or_assign(std::move(path), std::move(entry));
  }
  if (in.is_at_end()) entries_ = std::move(entries);
}

bool ScanCache::find(const std::filesystem::path& path, const FileStamp& stamp,
                     std::vector<const Type*>& types) const {
  const auto entry = entries_.find(path.native());
  return entry != entries_.end() && entry->second.stamp == stamp &&
         decode_types(entry->second.content, path, types);
}

void ScanCache::put(const std::filesystem::path& path, const FileStamp& stamp,
                    std::string content) {
  entries_.insert_or_assign(path.native(), Entry{stamp, std::move(content)});
  has_changed_ = true;
}

void ScanCache::save() {
  if (file_.empty() || !has_changed_) return;
  has_changed_ = false;
  std::erase_if(entries_, [](const auto& entry) {
    std::error_code error;
    return !std::filesystem::exists(entry.first, error);
  });
  if (entries_.size() > kMostEntries) return;
  Writer body;
  body.text(SLUICE_VERSION);
  body.number(host_build_flags());
  body.number(static_cast<uint32_t>(entries_.size()));
  for (const auto& [path, entry] : entries_) {
    body.text(path);
    body.number(entry.stamp.bytes);
    body.number(entry.stamp.modified_ns);
    body.text(entry.content);
  }
  const std::string bytes = body.take();
  Writer sum;
  sum.number(checksum(bytes));
  std::error_code error;
  std::filesystem::create_directories(file_.parent_path(), error);
  replace(file_, std::string(kMagic) + sum.take() + bytes);
}

}  // namespace sluice::loader
