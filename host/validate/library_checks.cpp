// The shared object and what it says of itself.
#include <dlfcn.h>
#include <elf.h>
#include <fmt/format.h>
#include <link.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cfenv>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "host/graph/schema.hpp"
#include "host/loader/elf_file.hpp"
#include "host/session/plugin_catalog.hpp"
#include "host/support/thread.hpp"
#include "host/validate/check.hpp"

namespace sluice::validate {
namespace {

int64_t process_cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return int64_t{time.tv_sec} * 1'000'000 + time.tv_usec;
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

void check_loads(Subject& subject) {
  if (const support::Status status = loader::check_plugin_file(subject.file()); !status) {
    return subject.fail(status.error().message);
  }
  doing("the loading of the library");
  const int64_t before_us = process_cpu_us();
  const auto loaded = loader::Library::load(subject.file());
  const int64_t took_us = process_cpu_us() - before_us;
  if (!loaded) return subject.fail(loaded.error().message);
  subject.note(fmt::format("Loading took {} us of processor time.", took_us));
  if (took_us > 500'000) {
    subject.fail(
        fmt::format("Loading takes {} ms of processor time; a scan looks at every plugin. "
                    "Move the work to create or prepare.",
                    took_us / 1000));
  }
}

// Names that the loaded object exports, by its own dynamic section.
std::vector<std::string> exported_names(const std::filesystem::path& file) {
  void* const handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  link_map* map = nullptr;
  if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return {};
  const ElfW(Sym)* symbols = nullptr;
  const char* strings = nullptr;
  const ElfW(Versym)* versions = nullptr;
  const uint32_t* gnu_hash = nullptr;
  for (const ElfW(Dyn)* entry = map->l_ld; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_SYMTAB) {
      symbols = reinterpret_cast<const ElfW(Sym)*>(entry->d_un.d_ptr);
    } else if (entry->d_tag == DT_STRTAB) {
      strings = reinterpret_cast<const char*>(entry->d_un.d_ptr);
    } else if (entry->d_tag == DT_GNU_HASH) {
      gnu_hash = reinterpret_cast<const uint32_t*>(entry->d_un.d_ptr);
    } else if (entry->d_tag == DT_VERSYM) {
      versions = reinterpret_cast<const ElfW(Versym)*>(entry->d_un.d_ptr);
    }
  }
  if (!symbols || !strings || !gnu_hash) return {};
  // The hash table lists what is defined: buckets of first indexes, chains that end with an odd
  // number.
  const uint32_t bucket_count = gnu_hash[0], first = gnu_hash[1], bloom_count = gnu_hash[2];
  const auto* buckets = gnu_hash + 4 + bloom_count * (sizeof(ElfW(Addr)) / 4);
  const uint32_t* chain = buckets + bucket_count;
  std::vector<std::string> names;
  for (uint32_t b = 0; b < bucket_count; ++b) {
    for (uint32_t i = buckets[b]; i >= first && i != 0; ++i) {
      const ElfW(Sym)& symbol = symbols[i];
      // Index 1 of a version: global; what a version script hides is not in this table at all.
      const bool is_version_name = versions && symbol.st_shndx == SHN_ABS;
      if (symbol.st_shndx != SHN_UNDEF && !is_version_name)
        names.emplace_back(strings + symbol.st_name);
      if (chain[i - first] & 1U) break;
    }
  }
  return names;
}

// Whether a library that the plugin links has the name too: the plugin stands in front of it, which
// nobody does by accident.
bool stands_in_front(const std::vector<std::string>& needed, const std::string& name) {
  return std::any_of(needed.begin(), needed.end(), [&](const std::string& file) {
    const std::unique_ptr<void, int (*)(void*)> library(
        dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD), &dlclose);
    return library && dlsym(library.get(), name.c_str()) != nullptr;
  });
}

void check_exports(Subject& subject) {
  if (!subject.load()) return;
  const auto summary = loader::read_elf_file(subject.file());
  if (!summary) return subject.fail(summary.error().message);
  std::vector<std::string> others = exported_names(subject.file());
  std::erase(others, "sluice_entry");
  std::erase_if(others,
                [&](const std::string& name) { return stands_in_front(summary->needed, name); });
  if (others.empty()) return;
  subject.fail(fmt::format("it exports {} symbols beside sluice_entry, such as {}.", others.size(),
                           others.front()));
}

void check_needs(Subject& subject) {
  const auto summary = loader::read_elf_file(subject.file());
  if (!summary) return subject.fail(summary.error().message);
  std::string list;
  for (const std::string& name : summary->needed) {
    if (name.find("sluice") != std::string::npos) {
      subject.fail(fmt::format("it links {}.", name));
    }
    list += (list.empty() ? "" : ", ") + name;
  }
  subject.note("It links " + (list.empty() ? "nothing" : list) + ".");
}

void check_leaves_alone(Subject& subject) {
  std::array<struct sigaction, 32> before{};
  for (int i = 1; i < 32; ++i) sigaction(i, nullptr, &before[static_cast<size_t>(i)]);
  support::set_flush_to_zero(false);
  const Belongings had = belongings();
  const size_t printed = printed_bytes();
  const int rounding = std::fegetround();
  if (!subject.load()) return;
  const Belongings has = belongings();
  if (has.threads != had.threads) subject.fail("it starts threads while it is loaded.");
  if (has.descriptors != had.descriptors) subject.fail("it opens files while it is loaded.");
  if (printed_bytes() != printed) subject.fail("it prints while it is loaded.");
  if (support::is_flush_to_zero() || std::fegetround() != rounding) {
    subject.fail(
        "it changes the floating point mode of the whole process while it is loaded; was "
        "it linked with -ffast-math?");
  }
  for (int i = 1; i < 32; ++i) {
    struct sigaction now {};
    sigaction(i, nullptr, &now);
    if (now.sa_handler != before[static_cast<size_t>(i)].sa_handler) {
      subject.fail(fmt::format("it takes SIG{} for itself.", sigabbrev_np(i)));
    }
  }
}

void check_says_who(Subject& subject) {
  const loader::Library* const library = subject.load();
  if (!library) return;
  if (library->name().empty()) subject.fail("sluice_entry has no name.");
  if (library->version().empty()) subject.fail("sluice_entry has no version.");
  if (library->vendor().empty()) subject.fail("sluice_entry has no vendor.");
  if (library->license().empty()) subject.fail("sluice_entry has no licence.");
}

void check_types(Subject& subject) {
  const loader::Library* const library = subject.load();
  if (!library) return;
  for (const std::string& defect : library->defects()) subject.fail(defect);
}

void check_id(Subject& subject) {
  if (!subject.type()) return;
  const std::string_view id = subject.type()->id();
  const bool is_short = std::ranges::count(id, '.') < 2;
  if (is_short && subject.load()->vendor() != "Sluice") {
    subject.fail(fmt::format("the id {} is one of Sluice's own.", id));
  }
}

// A word of the program's own ("auto: by its name.") may begin one.
bool is_sentence(std::string_view text) { return !text.empty() && text.back() == '.'; }

void check_texts(Subject& subject) {
  if (!subject.type()) return;
  const sluice_type& type = subject.data();
  if (std::string_view(type.name).empty()) subject.fail("the type has no name.");
  const auto look = [&](const std::string& what, const char* text) {
    if (!is_sentence(text)) {
      subject.fail(fmt::format("the description of {} is no sentence: '{}'.", what, text));
    }
  };
  look("the type", type.description);
  for (const sluice_port& port : subject.type()->ports()) {
    look(fmt::format("port {}", port.key), port.description);
  }
  for (const sluice_parameter& parameter : subject.type()->parameters()) {
    look(fmt::format("parameter {}", parameter.key), parameter.description);
  }
  for (const sluice_statistic& statistic : subject.type()->statistics()) {
    look(fmt::format("statistic {}", statistic.key), statistic.description);
  }
}

void check_units(Subject& subject) {
  if (!subject.type()) return;
  for (const sluice_parameter& parameter : subject.type()->parameters()) {
    std::string unit = parameter.unit;
    std::ranges::transform(unit, unit.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (unit == "%") unit = "percent";
    const std::string_view key = parameter.key;
    if (!unit.empty() && key != unit && !key.ends_with("_" + unit)) {
      subject.fail(
          fmt::format("parameter {} is in {}; call it ..._{}.", key, parameter.unit, unit));
    }
  }
}

void check_schema(Subject& subject) {
  if (!subject.type()) return;
  if (subject.type()->ports().empty()) subject.fail("the type has no ports.");
  graph::Catalog catalog;
  if (const auto added = catalog.add(session::to_node_type(*subject.type())); !added) {
    return subject.fail(added.error().message);
  }
  doing("the making of a schema");
  const std::string text = graph::to_pretty_json(graph::graph_schema(catalog));
  if (text.find(subject.type()->id()) == std::string::npos) {
    subject.fail("no schema of graphs can be made of its description.");
  }
}

constexpr Check kLibraryChecks[] = {
    {"library.loads", 1, About::kLibrary, "the file is a plugin that this host can load",
     "Nothing else can be looked at. Link with -z defs and -z now, which find missing symbols "
     "early.",
     check_loads},
    {"library.exports", 1, About::kLibrary, "sluice_entry is the one symbol of its own it exports",
     "Two plugins that export one name may share it by accident. Use sluice_add_plugin, or the "
     "version script of the SDK.",
     check_exports},
    {"library.needs", 1, About::kLibrary, "it links no library of Sluice",
     "Plugins include headers and link nothing of Sluice, so they run with every version of it.",
     check_needs},
    {"library.leaves_process_alone", 1, About::kLibrary,
     "loading starts, opens, prints and changes nothing",
     "Every scan loads it, in programs that do not use it. Move what constructors of globals do "
     "into create or prepare.",
     check_leaves_alone},
    {"library.says_who", 1, About::kLibrary, "it has a name, version, vendor and licence",
     "Users want to know what they run. Fill them in with SLUICE_PLUGIN.", check_says_who},
    {"library.types", 1, About::kLibrary, "the descriptions of its types are sound",
     "A type with a defect is not offered to anybody. The comments in plugin.h say what is asked.",
     check_types},
    {"type.id", 1, About::kType, "the id begins with a domain",
     "Graphs name it for ever; a later Sluice may use the short one. Call it "
     "com.example.filter.foo, "
     "with a domain of yours.",
     check_id},
    {"type.texts", 1, About::kType, "descriptions are sentences",
     "They are the help, the schema and the reference pages. End them with a full stop.",
     check_texts},
    {"type.units", 1, About::kType, "keys of parameters end in their unit",
     "A graph shows keys and no units: hold_ms cannot be taken for seconds.", check_units},
    {"type.schema", 1, About::kType, "graphs with it can be described",
     "Editors check graphs by the schema.", check_schema},
};

}  // namespace

std::span<const Check> library_checks() { return kLibraryChecks; }

}  // namespace sluice::validate
