#include "host/loader/elf_file.hpp"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sluice/plugin.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <sluice/sluice.hpp>
#include <string_view>
#include <system_error>

namespace sluice::loader {
namespace {

using support::Error;
using support::ErrorCode;
using support::Result;
using support::Status;

static_assert(std::endian::native == std::endian::little && sizeof(void*) == 8,
              "the reader takes structs as they stand in the file");

constexpr std::string_view kEntryName = "sluice_entry";
constexpr std::size_t kMostNeeded = 1024;
constexpr std::size_t kMostNameBytes = 4096;
constexpr uint64_t kMostFileBytes = uint64_t{1} << 30U;

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#else
#error "Add this machine's EM_ constant"
#endif

struct Sanitizer {
  std::string_view symbol;  // what every object built with it leaves undefined
  std::string_view name;
  std::string_view option;
  uint32_t build_flag;
};
constexpr std::array kSanitizers = {
    Sanitizer{"__asan_init", "AddressSanitizer", "-fsanitize=address",
              SLUICE_BUILD_ADDRESS_SANITIZER},
    Sanitizer{"__tsan_init", "ThreadSanitizer", "-fsanitize=thread", SLUICE_BUILD_THREAD_SANITIZER},
    Sanitizer{"__msan_init", "MemorySanitizer", "-fsanitize=memory", 0},
    Sanitizer{"__hwasan_init", "HWAddressSanitizer", "-fsanitize=hwaddress", 0},
};

std::string machine_name(uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "aarch64";
    case EM_386:
      return "i386";
    case EM_ARM:
      return "arm";
    case EM_RISCV:
      return "riscv";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390";
    case EM_MIPS:
      return "mips";
    default:
      return fmt::format("machine {}", machine);
  }
}

Error unsupported(std::string sentence) { return {ErrorCode::kUnsupported, std::move(sentence)}; }
Error damaged(std::string_view what) {
  return unsupported(fmt::format("is damaged: {}. Build or copy it again.", what));
}

// Bounds-checked access to the file and, through its segments, to its addresses.
class Image {
 public:
  explicit Image(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <typename T>
  std::optional<T> at(uint64_t offset) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }

  void add_segment(const Elf64_Phdr& segment) { segments_.push_back(segment); }

  // What the file holds from `address` on, up to the end of the segment.
  std::span<const std::byte> from_address(uint64_t address) const {
    for (const Elf64_Phdr& segment : segments_) {
      if (address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz) continue;
      const uint64_t inside = address - segment.p_vaddr;
      return bytes_.subspan(segment.p_offset + inside, segment.p_filesz - inside);
    }
    return {};
  }

 private:
  std::span<const std::byte> bytes_;
  std::vector<Elf64_Phdr> segments_;
};

template <typename T>
std::optional<T> element(std::span<const std::byte> bytes, uint64_t index) {
  if (index >= bytes.size() / sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<Elf64_Ehdr> file_header(const Image& image) {
  const auto header = image.at<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return std::nullopt;
  return header;
}

std::optional<Elf64_Phdr> program_header(const Image& image, const Elf64_Ehdr& header,
                                         uint16_t index) {
  const uint64_t inside = uint64_t{index} * sizeof(Elf64_Phdr);
  if (header.e_phoff > std::numeric_limits<uint64_t>::max() - inside) return std::nullopt;
  return image.at<Elf64_Phdr>(header.e_phoff + inside);
}

// Null if the file is for this kind of machine and can be mapped as a library.
std::optional<Error> check_kind(std::span<const std::byte> bytes) {
  if (bytes.empty()) return unsupported("is empty.");
  if (bytes.size() < EI_NIDENT || std::memcmp(bytes.data(), ELFMAG, SELFMAG) != 0) {
    return unsupported("is no shared object: it does not begin as an ELF file does.");
  }
  const auto ident = [&](std::size_t i) { return std::to_integer<uint8_t>(bytes[i]); };
  if (ident(EI_CLASS) != ELFCLASS64) {
    return unsupported("was built for a 32-bit machine; Sluice is 64-bit. Build it for " +
                       machine_name(kMachine) + ".");
  }
  if (ident(EI_DATA) != ELFDATA2LSB) {
    return unsupported("was built for a big-endian machine. Build it for " +
                       machine_name(kMachine) + ".");
  }
  const auto header = Image(bytes).at<Elf64_Ehdr>(0);
  if (!header) return damaged("its header is cut short");
  if (header->e_machine != kMachine) {
    return unsupported(fmt::format("was built for {0}; this machine is {1}. Build it for {1}.",
                                   machine_name(header->e_machine), machine_name(kMachine)));
  }
  if (header->e_type == ET_REL) {
    return unsupported("is an object file that has not been linked. Link it with -shared.");
  }
  if (header->e_type == ET_EXEC) return unsupported("is a program, not a shared object.");
  if (header->e_type != ET_DYN) return unsupported("is an ELF file, but no shared object.");
  if (header->e_phentsize != sizeof(Elf64_Phdr)) return damaged("its program headers have no size");
  return std::nullopt;
}

// What the dynamic section tells.
struct Dynamic {
  uint64_t strings = 0, strings_bytes = 0, symbols = 0, hash = 0, gnu_hash = 0;
  std::vector<uint64_t> needed;  // offsets into the strings
};

std::optional<Dynamic> read_dynamic(std::span<const std::byte> bytes) {
  Dynamic dynamic;
  for (uint64_t i = 0;; ++i) {
    const auto entry = element<Elf64_Dyn>(bytes, i);
    if (!entry) return std::nullopt;
    switch (entry->d_tag) {
      case DT_NULL:
        return dynamic;
      case DT_NEEDED:
        if (dynamic.needed.size() < kMostNeeded) dynamic.needed.push_back(entry->d_un.d_val);
        break;
      case DT_STRTAB:
        dynamic.strings = entry->d_un.d_ptr;
        break;
      case DT_STRSZ:
        dynamic.strings_bytes = entry->d_un.d_val;
        break;
      case DT_SYMTAB:
        dynamic.symbols = entry->d_un.d_ptr;
        break;
      case DT_HASH:
        dynamic.hash = entry->d_un.d_ptr;
        break;
      case DT_GNU_HASH:
        dynamic.gnu_hash = entry->d_un.d_ptr;
        break;
      default:
        break;
    }
  }
}

// The symbol table carries no length; the hash tables that index it do. Null if they make no sense.
std::optional<uint64_t> count_symbols(const Image& image, const Dynamic& dynamic) {
  if (dynamic.hash != 0) {
    const auto chains = element<uint32_t>(image.from_address(dynamic.hash), 1);
    if (chains) return *chains;
    return std::nullopt;
  }
  const auto table = image.from_address(dynamic.gnu_hash);
  const auto bucket_count = element<uint32_t>(table, 0);
  const auto first_symbol = element<uint32_t>(table, 1);
  const auto bloom_words = element<uint32_t>(table, 2);
  if (dynamic.gnu_hash == 0 || !bucket_count || !first_symbol || !bloom_words) return std::nullopt;
  const uint64_t buckets = 4 + uint64_t{*bloom_words} * 2;  // in words of 32 bits
  const uint64_t chains = buckets + *bucket_count;
  uint32_t last = 0;
  for (uint64_t i = buckets; i < chains; ++i) {
    const auto bucket = element<uint32_t>(table, i);
    if (!bucket) return std::nullopt;
    last = std::max(last, *bucket);
  }
  if (last < *first_symbol) return *first_symbol;  // exports nothing
  for (uint64_t symbol = last;; ++symbol) {
    const auto hash = element<uint32_t>(table, chains + (symbol - *first_symbol));
    if (!hash) return std::nullopt;
    if ((*hash & 1U) != 0) return symbol + 1;  // the lowest bit ends a chain
  }
}

// Whether the zero-terminated string at `offset` is `name`.
bool is_name(std::string_view strings, uint64_t offset, std::string_view name) {
  return offset < strings.size() && strings.size() - offset > name.size() &&
         strings.substr(offset, name.size()) == name && strings[offset + name.size()] == '\0';
}

std::string name_at(std::string_view strings, uint64_t offset) {
  if (offset >= strings.size()) return {};
  const std::string_view rest = strings.substr(offset, kMostNameBytes);
  return std::string(rest.substr(0, rest.find('\0')));
}

void read_symbol(const Image& image, std::string_view strings, const Elf64_Sym& symbol,
                 ElfSummary& summary) {
  if (symbol.st_shndx == SHN_UNDEF) {
    for (const Sanitizer& sanitizer : kSanitizers) {
      if (is_name(strings, symbol.st_name, sanitizer.symbol)) {
        summary.sanitizers.emplace_back(sanitizer.name);
      }
    }
    return;
  }
  const auto binding = ELF64_ST_BIND(symbol.st_info);
  const bool is_visible = (binding == STB_GLOBAL || binding == STB_WEAK) &&
                          (symbol.st_other & 3U) != STV_HIDDEN &&
                          (symbol.st_other & 3U) != STV_INTERNAL;
  if (!is_visible || ELF64_ST_TYPE(symbol.st_info) != STT_OBJECT ||
      !is_name(strings, symbol.st_name, kEntryName)) {
    return;
  }
  summary.has_entry = true;
  const auto bytes = image.from_address(symbol.st_value);
  if (bytes.size() < offsetof(sluice_library, types)) return;
  // The four members that stay where they are.
  std::memcpy(&summary.entry.struct_size, &bytes[offsetof(sluice_library, struct_size)], 4);
  std::memcpy(&summary.entry.abi_major, &bytes[offsetof(sluice_library, abi_major)], 2);
  std::memcpy(&summary.entry.abi_minor, &bytes[offsetof(sluice_library, abi_minor)], 2);
  std::memcpy(&summary.entry.build_flags, &bytes[offsetof(sluice_library, build_flags)], 4);
  std::memcpy(&summary.entry.type_count, &bytes[offsetof(sluice_library, type_count)], 4);
}

const Sanitizer& sanitizer_named(std::string_view name) {
  return *std::find_if(kSanitizers.begin(), kSanitizers.end(),
                       [&](const Sanitizer& s) { return s.name == name; });
}

Result<std::vector<std::byte>> read_bytes(int descriptor, uint64_t file_bytes) {
  std::vector<std::byte> bytes;
  const auto read_up_to = [&](uint64_t end) -> int {
    std::size_t have = bytes.size();
    bytes.resize(std::max<uint64_t>(end, have));
    while (have < bytes.size()) {
      const ssize_t got =
          ::pread(descriptor, bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return errno;
      if (got == 0) break;  // it has become shorter
      have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return 0;
  };
  int error = read_up_to(std::min<uint64_t>(file_bytes, 65536));
  if (error == 0) error = read_up_to(std::min(file_bytes, segments_end(bytes)));
  if (error != 0) {
    return Error{ErrorCode::kIo,
                 fmt::format("cannot be read: {}.", std::system_category().message(error))};
  }
  return bytes;
}

Error about(const std::filesystem::path& file, const Error& error) {
  return {error.code, file.string() + " " + error.message};
}

}  // namespace

uint64_t segments_end(std::span<const std::byte> start) {
  const Image image(start);
  const auto header = file_header(image);
  if (!header) return 0;
  uint64_t end = 0;
  for (uint16_t i = 0; i < header->e_phnum; ++i) {
    const auto segment = program_header(image, *header, i);
    if (!segment) break;
    if (segment->p_type != PT_LOAD) continue;
    const uint64_t most = std::numeric_limits<uint64_t>::max() - segment->p_offset;
    end = std::max(end, segment->p_offset + std::min(segment->p_filesz, most));
  }
  return end;
}

Result<ElfSummary> read_elf(std::span<const std::byte> bytes) {
  if (auto error = check_kind(bytes)) return *std::move(error);
  const uint64_t end = segments_end(bytes);
  if (end > bytes.size()) {
    return damaged(fmt::format("it is cut short at {} of at least {} bytes", bytes.size(), end));
  }
  Image image(bytes);
  const Elf64_Ehdr header = *file_header(image);
  std::optional<Elf64_Phdr> dynamic_segment;
  for (uint16_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = program_header(image, header, i);
    if (!segment) return damaged("its program headers are cut short");
    if (segment->p_type == PT_LOAD) image.add_segment(*segment);
    if (segment->p_type == PT_DYNAMIC) dynamic_segment = segment;
  }
  if (!dynamic_segment) return damaged("it has no dynamic section");
  const auto dynamic = read_dynamic(image.from_address(dynamic_segment->p_vaddr));
  if (!dynamic) return damaged("its dynamic section has no end");

  const auto string_bytes = image.from_address(dynamic->strings);
  if (string_bytes.size() < dynamic->strings_bytes) {
    return damaged("its names lie outside the file");
  }
  const std::string_view strings = as_text(string_bytes.first(dynamic->strings_bytes));
  ElfSummary summary;
  for (const uint64_t offset : dynamic->needed) summary.needed.push_back(name_at(strings, offset));

  const auto count = count_symbols(image, *dynamic);
  if (!count) return damaged("its symbol table has no length");
  const auto symbols = image.from_address(dynamic->symbols);
  if (symbols.size() / sizeof(Elf64_Sym) < *count) {
    return damaged("its symbols lie outside the file");
  }
  for (uint64_t i = 1; i < *count; ++i) {  // symbol 0 is reserved
    read_symbol(image, strings, *element<Elf64_Sym>(symbols, i), summary);
  }
  return summary;
}

Result<ElfSummary> read_elf_file(const std::filesystem::path& file) {
  // O_NONBLOCK: a pipe by that name must not hold the host up.
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) {
      return about(file, {ErrorCode::kNotFound, "does not exist."});
    }
    return about(file,
                 {error == EACCES ? ErrorCode::kPermission : ErrorCode::kIo,
                  fmt::format("cannot be opened: {}.", std::system_category().message(error))});
  }
  Result<ElfSummary> result = [&]() -> Result<ElfSummary> {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) return Error{ErrorCode::kIo, "cannot be examined."};
    if (S_ISDIR(status.st_mode)) return unsupported("is a folder, not a shared object.");
    if (!S_ISREG(status.st_mode)) return unsupported("is no regular file.");
    const auto file_bytes = static_cast<uint64_t>(status.st_size);
    if (file_bytes > kMostFileBytes) return unsupported("is larger than 1 GiB.");
    const auto bytes = read_bytes(descriptor, file_bytes);
    if (!bytes) return bytes.error();
    return read_elf(*bytes);
  }();
  ::close(descriptor);
  if (!result) return about(file, result.error());
  return result;
}

uint32_t host_build_flags() { return build_flags(); }

Status check_plugin_file(const std::filesystem::path& file) {
  const auto summary = read_elf_file(file);
  if (!summary) return summary.error();
  if (!summary->has_entry) {
    return about(file, unsupported("is a shared object, but no Sluice plugin: it does not export "
                                   "sluice_entry."));
  }
  const EntryHeader& entry = summary->entry;
  if (entry.abi_major != SLUICE_ABI_MAJOR) {
    return about(file, unsupported(fmt::format(
                           "was built for plugin ABI {}.{}; this Sluice has ABI {}.{}. Build it "
                           "again with the SDK of this Sluice.",
                           entry.abi_major, entry.abi_minor, SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR)));
  }
  // C plugins have no build_flags, so the undefined symbols count as well.
  std::vector<std::string> sanitizers = summary->sanitizers;
  for (const Sanitizer& sanitizer : kSanitizers) {
    if ((entry.build_flags & sanitizer.build_flag) != 0) sanitizers.emplace_back(sanitizer.name);
  }
  for (const std::string& name : sanitizers) {
    const Sanitizer& sanitizer = sanitizer_named(name);
    if ((host_build_flags() & sanitizer.build_flag) != 0) continue;
    return about(file, unsupported(fmt::format("was built with {}, and Sluice was not. Build it "
                                               "again without {}.",
                                               name, sanitizer.option)));
  }
  return {};
}

}  // namespace sluice::loader
