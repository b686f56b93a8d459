#include "host/loader/library.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/dll/shared_library.hpp>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "host/loader/descriptor.hpp"
#include "host/loader/elf_file.hpp"

namespace sluice::loader {
namespace {

using support::Error;
using support::ErrorCode;
using support::Result;

constexpr uint32_t kMostTypes = 1024;
// How far the members of ABI 1.0 reach.
constexpr uint32_t kLeastEntryBytes =
    offsetof(sluice_library, get_extension) + sizeof(sluice_library::get_extension);

std::string demangled(std::string_view symbol) {
  int status = 0;
  char* const name = abi::__cxa_demangle(std::string(symbol).c_str(), nullptr, nullptr, &status);
  std::string result = status == 0 && name != nullptr ? name : std::string(symbol);
  std::free(name);
  return result;
}

std::filesystem::path real_path(const std::filesystem::path& file) {
  std::error_code error;
  auto path = std::filesystem::canonical(file, error);
  return error ? std::filesystem::absolute(file, error) : path;
}

}  // namespace

struct Library::State {
  std::filesystem::path file;
  FileStamp stamp;
  sluice_library entry{};
  std::deque<TypeRecord> records;
  std::deque<Type> types;
  std::vector<const Type*> type_pointers;
  std::vector<std::string> defects;

  void defect(const std::string& what) {
    defects.push_back(fmt::format("{}: {}", file.string(), what));
  }

  void add_types() {
    std::set<std::string_view> ids;
    for (uint32_t i = 0; i < entry.type_count; ++i) {
      TypeRecord& record = records.emplace_back();
      std::vector<std::string> wrong = copy_type(entry.types[i], record);
      if (wrong.empty()) wrong = check_type(record, entry.abi_minor, true);
      if (wrong.empty() && !ids.insert(record.data.id).second) {
        wrong.push_back(fmt::format("type {}: the plugin offers it twice; the first one counts.",
                                    record.data.id));
      }
      if (wrong.empty()) {
        type_pointers.push_back(&types.emplace_back(record.data, file));
      } else {
        for (const std::string& what : wrong) defect(what);
        records.pop_back();
      }
    }
  }
};

namespace {

// Every library ever loaded; never destroyed.
struct Loaded {
  std::mutex mutex;
  // Also of those whose entry turned out to be unusable: their code may have started threads.
  std::deque<boost::dll::shared_library> handles;
  // By canonical path.
  std::map<std::string, std::unique_ptr<const Library>> libraries;
  std::vector<std::unique_ptr<const Library>> replaced;
};
Loaded& loaded() {
  static auto* const all = new Loaded;
  return *all;
}

// What is wrong with the entry as a whole; empty if its types can be looked at.
std::string entry_defect(const sluice_library& entry) {
  if (entry.struct_size < kLeastEntryBytes) {
    return fmt::format(
        "struct_size of sluice_entry is {}, less than the {} of ABI 1.0; set it to "
        "sizeof(sluice_library).",
        entry.struct_size, kLeastEntryBytes);
  }
  if (entry.type_count == 0) return "sluice_entry offers no types.";
  if (entry.type_count > kMostTypes) {
    return fmt::format("sluice_entry claims to offer {} types; {} are allowed.", entry.type_count,
                       kMostTypes);
  }
  if (entry.types == nullptr) return "the table of types in sluice_entry is null.";
  return {};
}

// A file of another name with the same content, in the same folder where that can be written, so
// that a search relative to it finds the same libraries.
Result<std::filesystem::path> copy_of(const std::filesystem::path& file) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (const fs::path& folder : {file.parent_path(), fs::temp_directory_path(error)}) {
    std::string name = folder / (".sluice-" + file.stem().string() + "-XXXXXX");
    const int descriptor = mkostemp(name.data(), O_CLOEXEC);
    if (descriptor < 0) continue;
    close(descriptor);
    if (fs::copy_file(file, name, fs::copy_options::overwrite_existing, error))
      return fs::path(name);
    fs::remove(name, error);
  }
  return Error{ErrorCode::kIo,
               fmt::format("{} cannot be loaded anew: neither its folder nor the one for temporary "
                           "files takes a copy of it.",
                           file.string())};
}

}  // namespace

FileStamp stamp_of(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return {};
  return {static_cast<uint64_t>(status.st_size),
          int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

Library::Library(std::unique_ptr<State> state) : state_(std::move(state)) {}
Library::~Library() = default;

// Loads `opened` under the name of `file`. Under the lock of loaded().
Result<std::unique_ptr<const Library>> Library::open(const std::filesystem::path& file,
                                                     const std::filesystem::path& opened) {
  if (const auto status = check_plugin_file(file); !status) return status.error();

  const FileStamp stamp = stamp_of(file);
  namespace dll = boost::dll;
  Loaded& all = loaded();
  dll::shared_library& handle = all.handles.emplace_back();
  std::error_code error;
  // Without rtld_now a missing symbol would end the process in the middle of an audio call.
  handle.load(opened, error, dll::load_mode::rtld_now | dll::load_mode::rtld_local);
  if (error) {
    const char* const message = dlerror();
    std::string sentence = explain_load_error(file, message == nullptr ? error.message() : message);
    all.handles.pop_back();
    return Error{ErrorCode::kUnsupported, std::move(sentence)};
  }
  if (!handle.has("sluice_entry")) {
    return Error{ErrorCode::kInternal,
                 fmt::format("{}: sluice_entry is in the file, but not in the loaded library.",
                             file.string())};
  }
  const auto& entry = handle.get<const sluice_library>("sluice_entry");
  if (const std::string defect = entry_defect(entry); !defect.empty()) {
    return Error{ErrorCode::kInvalid, fmt::format("{}: {}", file.string(), defect)};
  }
  auto state = std::make_unique<State>();
  state->file = file;
  state->stamp = stamp;
  state->entry = copy_sized<sluice_library>(&entry, entry.struct_size);
  state->add_types();
  return std::unique_ptr<const Library>(new Library(std::move(state)));
}

Result<const Library*> Library::load(const std::filesystem::path& file) {
  Loaded& all = loaded();
  const std::lock_guard lock(all.mutex);
  const std::filesystem::path path = real_path(file);
  if (const auto known = all.libraries.find(path.native()); known != all.libraries.end()) {
    return known->second.get();
  }
  auto opened = open(file, path);
  if (!opened) return std::move(opened).error();
  return (all.libraries[path.native()] = *std::move(opened)).get();
}

Result<const Library*> Library::load_anew(const std::filesystem::path& file) {
  Loaded& all = loaded();
  const std::lock_guard lock(all.mutex);
  const std::filesystem::path path = real_path(file);
  auto copy = copy_of(path);
  if (!copy) return std::move(copy).error();
  auto opened = open(file, *copy);
  // Its pages stay, and so does its inode: no later copy can be taken for it.
  std::error_code ignored;
  std::filesystem::remove(*copy, ignored);
  if (!opened) return std::move(opened).error();
  auto& place = all.libraries[path.native()];
  // Nodes of the old one may still run.
  if (place) all.replaced.push_back(std::move(place));
  place = *std::move(opened);
  return place.get();
}

namespace {
std::string_view text_or_empty(const char* text) { return text == nullptr ? "" : text; }
}  // namespace

const std::filesystem::path& Library::file() const { return state_->file; }
FileStamp Library::stamp() const { return state_->stamp; }
std::string_view Library::name() const { return text_or_empty(state_->entry.name); }
std::string_view Library::version() const { return text_or_empty(state_->entry.version); }
std::string_view Library::vendor() const { return text_or_empty(state_->entry.vendor); }
std::string_view Library::license() const { return text_or_empty(state_->entry.license); }
const void* Library::extension(const char* id) const {
  return state_->entry.get_extension == nullptr ? nullptr : state_->entry.get_extension(id);
}
uint16_t Library::abi_minor() const { return state_->entry.abi_minor; }
std::span<const Type* const> Library::types() const { return state_->type_pointers; }
std::span<const std::string> Library::defects() const { return state_->defects; }

std::string explain_load_error(const std::filesystem::path& file, std::string_view message) {
  constexpr std::string_view kUndefined = ": undefined symbol: ";
  constexpr std::string_view kCannotOpen = ": cannot open shared object file: ";
  constexpr std::string_view kVersion = ": version `";
  const std::string start = fmt::format("{} cannot be loaded: ", file.string());

  if (const auto at = message.find(kUndefined); at != std::string_view::npos) {
    const std::string_view object = message.substr(0, at);
    std::string_view symbol = message.substr(at + kUndefined.size());
    symbol = symbol.substr(0, symbol.find_first_of(", \t"));
    const bool is_own = real_path(object) == real_path(file);
    return fmt::format(
        "{}{} uses {}, which is defined nowhere. Link it with the library that "
        "defines it.",
        start, is_own ? "it" : fmt::format("the library {}", object), demangled(symbol));
  }
  if (const auto at = message.find(kCannotOpen); at != std::string_view::npos) {
    return fmt::format("{}it needs the library {}, which was not found. Install it.", start,
                       message.substr(0, at));
  }
  if (const auto at = message.find(kVersion); at != std::string_view::npos) {
    const std::string_view rest = message.substr(at + kVersion.size());
    return fmt::format(
        "{}it needs {} of {}, and the one installed is older or another. Build the "
        "plugin on this system or install a newer library.",
        start, rest.substr(0, rest.find('\'')), message.substr(0, at));
  }
  return fmt::format("{}{}.", start, message);
}

}  // namespace sluice::loader
