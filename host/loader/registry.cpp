#include "host/loader/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "host/loader/descriptor.hpp"
#include "host/loader/elf_file.hpp"
#include "host/loader/library.hpp"
#include "host/loader/probe.hpp"
#include "host/loader/scan_cache.hpp"
#include "host/loader/type_family.hpp"
#include "host/support/log.hpp"
#include "host/support/nearest_name.hpp"

namespace sluice::loader {
namespace {

namespace fs = std::filesystem;
using support::Error;
using support::ErrorCode;
using support::Result;

// Empty for a variable that is not set, and for every one in a program with raised privileges.
std::string environment(const char* name) {
  const char* const value = secure_getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::vector<fs::path> split_path(std::string_view text) {
  std::vector<fs::path> folders;
  while (!text.empty()) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    if (colon > 0) folders.emplace_back(text.substr(0, colon));
    text.remove_prefix(std::min(colon + 1, text.size()));
  }
  return folders;
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

fs::path canonical_or_same(const fs::path& path) {
  std::error_code error;
  fs::path result = fs::canonical(path, error);
  return error ? path : result;
}

// Where the plugins are that were made with this program.
std::vector<fs::path> own_folders() {
  std::vector<fs::path> folders;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  bool has_own = false;
  if (!error) {
    const fs::path prefix = program.parent_path().parent_path();
    for (const fs::path& folder :
         {prefix / "lib" / "sluice", prefix / SLUICE_INSTALL_LIBDIR / "sluice"}) {
      has_own = has_own || is_folder(folder);
      folders.push_back(folder);
    }
  }
  if (!has_own) folders.emplace_back(SLUICE_INSTALL_PLUGIN_DIR);
  return folders;
}

std::vector<fs::path> default_folders() {
  std::vector<fs::path> folders = split_path(environment("SLUICE_PLUGIN_PATH"));
  for (fs::path& folder : own_folders()) folders.push_back(std::move(folder));
  if (const fs::path home = environment("HOME"); home.is_absolute()) {
    folders.push_back(home / ".local" / "lib" / "sluice");
  }
  return folders;
}

fs::path default_cache_file() {
  // Relative values are to be ignored (XDG Base Directory Specification).
  if (const fs::path cache = environment("XDG_CACHE_HOME"); cache.is_absolute()) {
    return cache / "sluice" / "plugins.cache";
  }
  if (const fs::path home = environment("HOME"); home.is_absolute()) {
    return home / ".cache" / "sluice" / "plugins.cache";
  }
  return {};
}

const Type* type_in(const Library& library, std::string_view id) {
  for (const Type* const type : library.types()) {
    if (type->id() == id) return type;
  }
  return nullptr;
}

}  // namespace

class Registry::State {
 public:
  explicit State(const RegistryOptions& options)
      : cache_(!options.has_cache           ? fs::path()
               : options.cache_file.empty() ? default_cache_file()
                                            : options.cache_file),
        prober_(options.prober),
        probe_patience_(options.probe_patience) {
    if (options.has_default_dirs) {
      for (const fs::path& folder : own_folders()) own_.insert(canonical_or_same(folder));
    }
    std::vector<fs::path> candidates = options.plugin_dirs;
    for (const fs::path& folder : candidates) {
      if (is_folder(folder)) continue;
      add_problem(folder, fmt::format("The plugin folder {} does not exist.", folder.string()));
    }
    if (options.has_default_dirs) {
      for (fs::path& folder : default_folders()) candidates.push_back(std::move(folder));
    }
    std::set<fs::path> seen;
    for (const fs::path& folder : candidates) {
      if (!is_folder(folder) || !seen.insert(canonical_or_same(folder)).second) continue;
      std::error_code error;
      const fs::path absolute = fs::absolute(folder, error);
      folders_.push_back(error ? folder : absolute.lexically_normal());
    }
  }

  Result<const Type*> find(std::string_view id) {
    if (const auto known = found_.find(id); known != found_.end()) return known->second;
    if (is_member_id(id)) {
      const auto family = find(id.substr(0, id.find('/')));
      auto member = family ? find_member(**family, id) : family;
      if (member) found_.emplace(id, *member);
      return member;
    }
    std::optional<Error> failure;
    const Type* type = is_type_id(id) ? find_named(id, failure) : nullptr;
    if (type == nullptr) type = find_scanned(id, failure);
    if (type == nullptr) return failure ? *failure : not_found(id);
    if (failure) support::log_warning(failure->message);
    found_.emplace(id, type);
    return type;
  }

  Result<const Type*> describe(std::string_view id) {
    if (const auto known = found_.find(id); known != found_.end()) return known->second;
    if (const auto known = described_.find(id); known != described_.end()) return known->second;
    if (prober_.empty() || !is_type_id(id)) return find(id);
    for (const fs::path& folder : folders_) {
      const fs::path file = folder / (std::string(id) + ".so");
      std::error_code error;
      if (!fs::exists(fs::symlink_status(file, error))) continue;
      if (own_.contains(canonical_or_same(folder))) break;
      std::vector<const Type*> types;
      std::optional<Error> failure;
      const FileStamp stamp = stamp_of(file);
      if (!cache_.find(file, stamp, types)) {
        if (!probe_types(file, stamp, types, failure)) break;
        cache_.save();
      }
      for (const Type* const type : types) {
        if (type->id() == id) return described_.emplace(id, type).first->second;
      }
      break;
    }
    return find(id);
  }

  Result<std::vector<std::string>> reload(const fs::path& file) {
    std::optional<Error> failure;
    if (!is_probed(file, failure)) {
      return failure ? *failure
                     : Error{ErrorCode::kInvalid, fmt::format("{} has defects.", file.string())};
    }
    std::vector<std::string> ids;
    const bool is_loaded = std::any_of(found_.begin(), found_.end(), [&](const auto& known) {
      return known.second->file() == file;
    });
    if (is_loaded) {
      const auto library = Library::load_anew(file);
      if (!library) return library.error();
      auto found = found_;
      for (auto& [id, type] : found) {
        if (type->file() != file) continue;
        type = type_in(**library, id);
        if (type == nullptr) {
          return Error{ErrorCode::kNotFound,
                       fmt::format("{} no longer offers a sound {}.", file.string(), id)};
        }
        ids.push_back(id);
      }
      found_ = std::move(found);
    }
    std::erase_if(described_, [&](const auto& known) {
      if (known.second->file() != file) return false;
      ids.push_back(known.first);
      return true;
    });
    scanned_.erase(file);
    return ids;
  }

  std::vector<const Type*> all() {
    std::vector<const Type*> types;
    for (const auto& [id, offers] : scan()) {
      const auto loaded = found_.find(id);
      types.push_back(loaded == found_.end() ? offers.front() : loaded->second);
      if (offers.size() > 1) say_hidden(*types.back(), offers);
    }
    return types;
  }

  const std::vector<Problem>& problems() const { return problems_; }
  const std::vector<fs::path>& folders() const { return folders_; }
  const fs::path& prober() const { return prober_; }
  bool is_shipped(const Type& type) const {
    // A member of a family is code of somebody else's that the family's plugin runs.
    return type.id().find('/') == std::string_view::npos &&
           own_.contains(canonical_or_same(type.file().parent_path()));
  }

 private:
  using Offers = std::map<std::string, std::vector<const Type*>, std::less<>>;

  void add_problem(const fs::path& file, const std::string& sentence) {
    const bool is_known = std::any_of(problems_.begin(), problems_.end(),
                                      [&](const Problem& p) { return p.sentence == sentence; });
    if (!is_known) problems_.push_back({file, sentence});
  }

  // Null if it cannot be loaded; the first reason of all stays in `failure`.
  const Library* load(const fs::path& file, std::optional<Error>& failure) {
    const auto library = Library::load(file);
    if (!library) {
      add_problem(file, library.error().message);
      if (!failure) failure = library.error();
      return nullptr;
    }
    for (const std::string& defect : (*library)->defects()) add_problem(file, defect);
    return *library;
  }

  const Type* find_named(std::string_view id, std::optional<Error>& failure) {
    const Type* type = nullptr;
    for (const fs::path& folder : folders_) {
      const fs::path file = folder / (std::string(id) + ".so");
      std::error_code error;
      if (!fs::exists(fs::symlink_status(file, error))) continue;
      if (type != nullptr) {
        if (check_plugin_file(file)) say_hidden(*type, file);
        continue;
      }
      if (!own_.contains(canonical_or_same(folder)) && !is_probed(file, failure)) continue;
      const Library* const library = load(file, failure);
      if (library == nullptr) continue;
      type = type_in(*library, id);
      if (type != nullptr || failure) continue;
      failure = library->defects().empty()
                    ? Error{ErrorCode::kNotFound,
                            fmt::format("{} is named after the type {}, but does not offer it.",
                                        file.string(), id)}
                    : Error{ErrorCode::kInvalid, library->defects().front()};
    }
    return type;
  }

  const Type* find_scanned(std::string_view id, std::optional<Error>& failure) {
    const Offers all = scan();
    const auto offers = all.find(id);
    if (offers == all.end()) return nullptr;
    for (const Type* const offer : offers->second) {
      const Library* const library = load(offer->file(), failure);
      const Type* const type = library == nullptr ? nullptr : type_in(*library, id);
      if (type != nullptr) return type;
    }
    return nullptr;
  }

  // Everything on offer, by id; of several offers of one id the one to use comes first.
  Offers scan() {
    Offers named;
    Offers others;
    std::set<fs::path> seen;
    for (const fs::path& folder : folders_) {
      for (const fs::path& file : plugin_files(folder)) {
        if (!seen.insert(canonical_or_same(file)).second) continue;
        for (const Type* const type : types_of(file)) {
          const bool is_named = file.stem().native() == type->id();
          (is_named ? named : others)[std::string(type->id())].push_back(type);
        }
      }
    }
    for (auto& [id, offers] : others) {
      std::vector<const Type*>& all = named[id];
      all.insert(all.end(), offers.begin(), offers.end());
    }
    cache_.save();
    return named;
  }

  std::vector<fs::path> plugin_files(const fs::path& folder) {
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      if (entry->path().extension() == ".so") files.push_back(entry->path());
    }
    if (error) {
      add_problem(folder, fmt::format("The plugin folder {} cannot be read: {}.", folder.string(),
                                      error.message()));
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  const std::vector<const Type*>& types_of(const fs::path& file) {
    const FileStamp stamp = stamp_of(file);
    Scanned& scanned = scanned_[file];
    if (scanned.is_done && scanned.stamp == stamp) return scanned.types;
    scanned = {stamp, true, {}};
    if (cache_.find(file, stamp, scanned.types)) return scanned.types;
    std::optional<Error> failure;
    if (!prober_.empty()) {
      probe_types(file, stamp, scanned.types, failure);
      return scanned.types;
    }
    const Library* const library = load(file, failure);
    if (library == nullptr) return scanned.types;
    scanned.types.assign(library->types().begin(), library->types().end());
    // One that was replaced after it had been loaded would be remembered with what it no longer is.
    if (library->stamp() == stamp && library->defects().empty()) {
      cache_.put(file, stamp, encode_types(library->abi_minor(), library->types()));
    }
    return scanned.types;
  }

  // Whether `file` can be loaded without harm, as far as a probe of it, now or before, can tell.
  bool is_probed(const fs::path& file, std::optional<Error>& failure) {
    const FileStamp stamp = stamp_of(file);
    std::vector<const Type*> types;
    if (prober_.empty() || cache_.find(file, stamp, types)) return true;
    const bool is_sound = probe_types(file, stamp, types, failure);
    cache_.save();
    return is_sound;
  }

  // False if the process that looked at `file` came to no end of its own.
  bool probe_types(const fs::path& file, const FileStamp& stamp, std::vector<const Type*>& types,
                   std::optional<Error>& failure) {
    if (const auto status = check_plugin_file(file); !status) {
      add_problem(file, status.error().message);
      if (!failure) failure = status.error();
      return false;
    }
    const Probed probed = probe(prober_, file, probe_patience_);
    for (const std::string& sentence : probed.sentences) add_problem(file, sentence);
    if (!decode_types(probed.content, file, types)) {
      if (!failure && !probed.sentences.empty()) {
        failure = Error{ErrorCode::kUnsupported, probed.sentences.front()};
      }
      return false;
    }
    // One that was replaced meanwhile would be remembered with what it no longer is.
    if (probed.sentences.empty() && stamp_of(file) == stamp) {
      cache_.put(file, stamp, probed.content);
    }
    return true;
  }

  void say_hidden(const Type& type, const fs::path& other) {
    if (!hidden_.insert(std::string(type.id()) + '\n' + other.native()).second) return;
    support::log_info(fmt::format("Type {} comes from {}; the one in {} is not used.", type.id(),
                                  type.file().string(), other.string()));
  }
  void say_hidden(const Type& used, const std::vector<const Type*>& offers) {
    for (const Type* const offer : offers) {
      if (offer->file() != used.file()) say_hidden(used, offer->file());
    }
  }

  Error not_found(std::string_view id) {
    if (folders_.empty()) {
      return {ErrorCode::kNotFound,
              fmt::format("No plugin offers the type \"{}\": there is no plugin folder. Name one "
                          "with --plugin-dir or SLUICE_PLUGIN_PATH.",
                          id)};
    }
    const Offers all = scan();
    std::vector<std::string_view> ids;
    for (const auto& [known, offers] : all) ids.emplace_back(known);
    std::vector<std::string_view> places;
    for (const fs::path& folder : folders_) places.emplace_back(folder.native());
    const std::string hint = support::did_you_mean(id, ids);
    return {ErrorCode::kNotFound,
            fmt::format("No plugin offers the type \"{}\"{} Searched: {}.", id,
                        hint.empty() ? "." : hint, support::joined(places, "and"))};
  }

  struct Scanned {
    FileStamp stamp;
    bool is_done = false;
    std::vector<const Type*> types;
  };

  ScanCache cache_;
  const fs::path prober_;
  const std::chrono::milliseconds probe_patience_;
  std::set<fs::path> own_;  // canonical
  std::vector<fs::path> folders_;
  std::map<std::string, const Type*, std::less<>> found_;
  std::map<std::string, const Type*, std::less<>> described_;
  std::map<fs::path, Scanned> scanned_;
  std::set<std::string> hidden_;  // said already
  std::vector<Problem> problems_;
};

Registry::Registry(const RegistryOptions& options) : state_(std::make_unique<State>(options)) {}
Registry::~Registry() = default;

Result<const Type*> Registry::find(std::string_view id) { return state_->find(id); }
Result<const Type*> Registry::describe(std::string_view id) { return state_->describe(id); }
Result<std::vector<std::string>> Registry::reload(const fs::path& file) {
  return state_->reload(file);
}
std::vector<const Type*> Registry::all() { return state_->all(); }
const std::vector<Problem>& Registry::problems() const { return state_->problems(); }
const std::vector<fs::path>& Registry::folders() const { return state_->folders(); }
const fs::path& Registry::prober() const { return state_->prober(); }
bool Registry::is_shipped(const Type& type) const { return state_->is_shipped(type); }

}  // namespace sluice::loader
