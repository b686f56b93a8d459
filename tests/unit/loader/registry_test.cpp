#include "host/loader/registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sluice/sluice.hpp>

#include "host/loader/descriptor.hpp"
#include "host/loader/scan_cache.hpp"
#include "host/support/log.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/sound_files.hpp"

namespace sluice::loader {
namespace {

namespace fs = std::filesystem;
using support::ErrorCode;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::UnorderedElementsAre;
using tests::TemporaryFolder;

const fs::path kBad = tests::bad_plugin_folder();

class Capture final : public support::LogOutput {
 public:
  void write(const support::LogLine& line) override { sentences.emplace_back(line.sentence); }
  std::vector<std::string> sentences;
};

// Sets a variable of the environment for a while; null removes it.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* const old = std::getenv(name)) before_ = old;
    set(value);
  }
  ~Variable() { set(before_ ? before_->c_str() : nullptr); }

 private:
  void set(const char* value) {
    if (value == nullptr) {
      unsetenv(name_);
    } else {
      setenv(name_, value, 1);
    }
  }
  const char* const name_;
  std::optional<std::string> before_;
};

std::vector<std::string> ids_of(const std::vector<const Type*>& types) {
  std::vector<std::string> ids;
  for (const Type* const type : types) ids.emplace_back(type->id());
  return ids;
}

class RegistryTest : public ::testing::Test {
 protected:
  // Copies a bad plugin into a folder of the test.
  std::string copy(const char* plugin, const std::string& to) {
    const fs::path path = folder_ / to;
    fs::create_directories(path.parent_path());
    fs::copy_file(kBad / plugin, path);
    return path;
  }
  std::string folder(const std::string& name) {
    fs::create_directories(folder_ / name);
    return folder_ / name;
  }
  RegistryOptions options(const std::vector<std::string>& folders) {
    RegistryOptions options;
    for (const std::string& name : folders) options.plugin_dirs.emplace_back(folder(name));
    options.has_default_dirs = false;
    options.cache_file = folder_ / "cache/plugins.cache";
    return options;
  }
  TemporaryFolder folder_;
  Capture log_;
  support::LogRedirect redirect_{log_};
};

TEST_F(RegistryTest, Type_in_a_file_of_its_name_is_found_without_loading_others) {
  const std::string file = copy("newer_minor.so", "a/bad.newer.so");
  // Loading this one would be noticed as a problem.
  copy("null_types.so", "a/another.so");
  Registry registry(options({"a"}));
  const auto type = registry.find("bad.newer");
  ASSERT_TRUE(type) << type.error().message;
  EXPECT_EQ((*type)->id(), "bad.newer");
  EXPECT_EQ((*type)->file(), file);
  EXPECT_TRUE((*type)->is_loaded());
  EXPECT_THAT(registry.problems(), IsEmpty());
  EXPECT_FALSE(fs::exists(folder_ / "cache"));
  EXPECT_EQ(*registry.find("bad.newer"), *type);
}

TEST_F(RegistryTest, Type_in_a_file_of_another_name_is_found_by_a_scan) {
  const std::string file = copy("newer_minor.so", "a/collection.so");
  Registry registry(options({"a"}));
  const auto type = registry.find("bad.newer");
  ASSERT_TRUE(type) << type.error().message;
  EXPECT_EQ((*type)->file(), file);
}

TEST_F(RegistryTest, Folder_named_first_wins_and_the_log_says_so) {
  const std::string first = copy("newer_minor.so", "a/bad.newer.so");
  const std::string second = copy("newer_minor.so", "b/bad.newer.so");
  Registry registry(options({"a", "b"}));
  const auto type = registry.find("bad.newer");
  ASSERT_TRUE(type);
  EXPECT_EQ((*type)->file(), first);
  const std::string said =
      "Type bad.newer comes from " + first + "; the one in " + second + " is not used.";
  EXPECT_THAT(log_.sentences, ElementsAre(said));
  EXPECT_THAT(ids_of(registry.all()), ElementsAre("bad.newer"));
  EXPECT_THAT(log_.sentences, ElementsAre(said)) << "once";
}

TEST_F(RegistryTest, File_named_after_the_type_wins_over_an_earlier_folder) {
  copy("newer_minor.so", "a/collection.so");
  const std::string named = copy("newer_minor.so", "b/bad.newer.so");
  Registry by_name(options({"a", "b"}));
  EXPECT_EQ((*by_name.find("bad.newer"))->file(), named);
  Registry by_scan(options({"a", "b"}));
  const auto all = by_scan.all();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]->file(), named);
}

TEST_F(RegistryTest, First_file_by_name_wins_within_a_folder) {
  for (const char* const name : {"m", "z", "a", "k"}) {
    copy("newer_minor.so", std::string("a/") + name + ".so");
  }
  Registry registry(options({"a"}));
  EXPECT_EQ((*registry.find("bad.newer"))->file().filename(), "a.so");
}

TEST_F(RegistryTest, Folder_named_twice_counts_once) {
  copy("newer_minor.so", "a/bad.newer.so");
  RegistryOptions twice = options({"a"});
  twice.plugin_dirs.emplace_back(folder_ / "a/../a");
  fs::create_directory_symlink(folder_ / "a", folder_ / "link");
  twice.plugin_dirs.emplace_back(folder_ / "link");
  Registry registry(twice);
  EXPECT_EQ(registry.folders().size(), 1u);
  EXPECT_TRUE(registry.find("bad.newer"));
  EXPECT_THAT(log_.sentences, IsEmpty());
}

TEST_F(RegistryTest, Unknown_type_gets_the_nearest_name_and_the_places) {
  copy("newer_minor.so", "a/bad.newer.so");
  Registry registry(options({"a", "b"}));
  const auto type = registry.find("bad.never");
  ASSERT_FALSE(type);
  EXPECT_EQ(type.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(type.error().message,
            "No plugin offers the type \"bad.never\"; did you mean \"bad.newer\"? Searched: " +
                folder("a") + " and " + folder("b") + ".");
  EXPECT_EQ(registry.find("sink.nothing").error().message,
            "No plugin offers the type \"sink.nothing\". Searched: " + folder("a") + " and " +
                folder("b") + ".");
}

TEST_F(RegistryTest, Id_that_is_a_path_never_leaves_the_folders) {
  copy("newer_minor.so", "a/bad.newer.so");
  folder("b");
  Registry registry(options({"b"}));
  EXPECT_EQ(registry.find("../a/bad.newer").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(registry.find("").error().code, ErrorCode::kNotFound);
}

TEST_F(RegistryTest, No_folder_at_all_says_how_to_name_one) {
  Registry registry(options({}));
  EXPECT_EQ(registry.find("filter.gate").error().message,
            "No plugin offers the type \"filter.gate\": there is no plugin folder. Name one with "
            "--plugin-dir or SLUICE_PLUGIN_PATH.");
}

TEST_F(RegistryTest, Missing_plugin_folder_is_a_problem) {
  RegistryOptions wrong = options({});
  wrong.plugin_dirs.emplace_back("/nowhere/at/all");
  Registry registry(wrong);
  ASSERT_EQ(registry.problems().size(), 1u);
  EXPECT_EQ(registry.problems()[0].sentence, "The plugin folder /nowhere/at/all does not exist.");
}

TEST_F(RegistryTest, File_of_the_name_that_cannot_be_used_says_why) {
  const std::string file = copy("other_abi.so", "a/filter.gate.so");
  Registry registry(options({"a"}));
  const auto type = registry.find("filter.gate");
  ASSERT_FALSE(type);
  EXPECT_EQ(type.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(type.error().message,
            file +
                " was built for plugin ABI 2.3; this Sluice has ABI 1.0. Build it again with "
                "the SDK of this Sluice.");
}

TEST_F(RegistryTest, File_of_the_name_without_the_type_says_so) {
  const std::string file = copy("newer_minor.so", "a/filter.gate.so");
  Registry registry(options({"a"}));
  EXPECT_EQ(registry.find("filter.gate").error().message,
            file + " is named after the type filter.gate, but does not offer it.");
}

TEST_F(RegistryTest, File_of_the_name_with_a_defect_says_which) {
  const std::string file = copy("defective.so", "a/bad.default.so");
  Registry registry(options({"a"}));
  const auto type = registry.find("bad.default");
  ASSERT_FALSE(type);
  EXPECT_EQ(type.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(type.error().message, ::testing::StartsWith(file + ": type bad."));
}

TEST_F(RegistryTest, Broken_first_file_gives_way_to_a_good_one_with_a_warning) {
  const std::string broken = copy("other_abi.so", "a/bad.newer.so");
  const std::string good = copy("newer_minor.so", "b/bad.newer.so");
  Registry registry(options({"a", "b"}));
  const auto type = registry.find("bad.newer");
  ASSERT_TRUE(type) << type.error().message;
  EXPECT_EQ((*type)->file(), good);
  EXPECT_THAT(log_.sentences, ElementsAre(::testing::StartsWith(broken + " was built for")));
}

TEST_F(RegistryTest, Scan_of_a_folder_full_of_rubbish_lists_every_problem) {
  for (const auto& entry : fs::directory_iterator(kBad)) {
    // Under a sanitizer this one can be used.
    if (entry.path().stem() == "sanitized" || entry.path().stem() == "says_sanitized") continue;
    if (entry.is_regular_file())
      copy(entry.path().filename().c_str(), "a/" + entry.path().filename().string());
  }
  std::ofstream(folder_ / "a/text.so") << "hello";
  std::ofstream(folder_ / "a/empty.so");
  std::ofstream(folder_ / "a/readme.txt") << "not looked at";
  folder("a/folder.so");
  Registry registry(options({"a"}));
  EXPECT_THAT(ids_of(registry.all()),
              IsSupersetOf({"bad.newer", "bad.good", "bad.allocates", "bad.has-no-table"}));
  std::map<std::string, std::string> problems;  // the last one of each file
  for (const Problem& problem : registry.problems()) {
    problems[problem.file.filename()] = problem.sentence;
  }
  std::vector<std::string> files;
  for (const auto& [file, sentence] : problems) files.push_back(file);
  EXPECT_THAT(files, ElementsAre("defective.so", "empty.so", "entry_is_function.so", "folder.so",
                                 "missing_library.so", "missing_symbol.so", "no_entry.so",
                                 "null_types.so", "other_abi.so", "text.so", "wrong_links.so"));
  EXPECT_EQ(problems["text.so"], folder("a") +
                                     "/text.so is no shared object: it does not begin as "
                                     "an ELF file does.");
  const std::size_t count = registry.problems().size();
  registry.all();
  EXPECT_EQ(registry.problems().size(), count) << "each once";
}

TEST_F(RegistryTest, Second_scan_comes_from_the_cache_and_says_the_same) {
  copy("misbehaving.so", "a/many.so");
  copy("newer_minor.so", "a/one.so");
  copy("defective.so", "a/defective.so");
  std::vector<std::string> first;
  {
    Registry registry(options({"a"}));
    for (const Type* const type : registry.all()) {
      EXPECT_TRUE(type->is_loaded());
      first.push_back(encode_types(0, std::span(&type, 1)));
    }
  }
  ASSERT_GT(first.size(), 10u);
  Registry registry(options({"a"}));
  std::vector<std::string> second;
  for (const Type* const type : registry.all()) {
    EXPECT_EQ(type->is_loaded(), type->file().filename() == "defective.so") << type->id();
    second.push_back(encode_types(0, std::span(&type, 1)));
  }
  EXPECT_EQ(first, second);
  EXPECT_EQ(registry.problems().size(), 5u) << "files with problems are looked at again";
  const auto type = registry.find("bad.newer");
  ASSERT_TRUE(type);
  EXPECT_TRUE((*type)->is_loaded()) << "find loads what the cache only knows";
  for (const Type* const now : registry.all()) {
    EXPECT_TRUE(now->is_loaded() || now->id() != "bad.newer");
  }
}

class RegistryProbe : public RegistryTest {
 protected:
  RegistryOptions probing(const std::string& name) {
    RegistryOptions probed = options({name});
    probed.prober = tests::build_folder() / "bin/sluice";
    return probed;
  }
  static std::vector<std::string> sentences(const Registry& registry) {
    std::vector<std::string> all;
    for (const Problem& problem : registry.problems()) all.push_back(problem.sentence);
    return all;
  }
};

TEST_F(RegistryProbe, Plugin_that_ends_its_process_is_a_problem_and_the_others_are_found) {
  const std::string crashes = copy("deadly/acme.crashes.so", "a/acme.crashes.so");
  const std::string exits = copy("deadly/acme.exits.so", "a/acme.exits.so");
  copy("deadly/acme.prints.so", "a/acme.prints.so");
  copy("newer_minor.so", "a/one.so");
  copy("null_types.so", "a/null_types.so");
  Registry registry(probing("a"));
  EXPECT_THAT(ids_of(registry.all()), ElementsAre("acme.prints", "bad.newer"));
  EXPECT_THAT(sentences(registry),
              ElementsAre(crashes + " cannot be used: loading it ends the process with SIGABRT "
                                    "(Aborted). Mend the plugin or remove it from the folder.",
                          exits + " cannot be used: loading it ends the process with exit code 7. "
                                  "Mend the plugin or remove it from the folder.",
                          ::testing::HasSubstr("table of types in sluice_entry is null")));
  const auto type = registry.find("acme.crashes");
  ASSERT_FALSE(type);
  EXPECT_THAT(type.error().message, ::testing::HasSubstr("SIGABRT"));
  EXPECT_TRUE(registry.find("acme.prints"));
}

TEST_F(RegistryProbe, Plugin_that_is_asked_for_by_name_is_probed_too) {
  copy("deadly/acme.crashes.so", "a/acme.crashes.so");
  copy("deadly/acme.prints.so", "a/acme.prints.so");
  Registry registry(probing("a"));
  const auto type = registry.find("acme.crashes");
  ASSERT_FALSE(type);
  EXPECT_THAT(type.error().message, ::testing::HasSubstr("SIGABRT"));
  EXPECT_TRUE(registry.find("acme.prints"));
}

TEST_F(RegistryProbe, Plugin_that_hangs_is_given_up) {
  const std::string hangs = copy("deadly/acme.hangs.so", "a/acme.hangs.so");
  RegistryOptions impatient = probing("a");
  impatient.probe_patience = std::chrono::milliseconds(200);
  Registry registry(impatient);
  EXPECT_THAT(registry.all(), IsEmpty());
  EXPECT_THAT(sentences(registry),
              ElementsAre(hangs + " cannot be used: loading it has not ended after 200 ms. Mend "
                                  "the plugin or remove it from the folder."));
}

TEST_F(RegistryProbe, Second_look_comes_from_the_cache_and_starts_no_process) {
  copy("deadly/acme.prints.so", "a/acme.prints.so");
  copy("misbehaving.so", "a/many.so");
  const std::vector<std::string> ids = ids_of(Registry(probing("a")).all());
  ASSERT_GT(ids.size(), 10u);
  RegistryOptions without = probing("a");
  without.prober = folder_ / "there is no such program";
  Registry registry(without);
  EXPECT_EQ(ids_of(registry.all()), ids);
  EXPECT_TRUE(registry.find("acme.prints"));
  EXPECT_THAT(sentences(registry), IsEmpty());
  fs::remove_all(folder_ / "cache");
  Registry cold(without);
  EXPECT_THAT(cold.all(), IsEmpty());
  EXPECT_THAT(sentences(cold), Contains(::testing::HasSubstr("no process could be started")));
}

TEST_F(RegistryTest, Changed_file_is_not_taken_from_the_cache) {
  const std::string file = copy("newer_minor.so", "a/one.so");
  Registry(options({"a"})).all();
  fs::remove(file);
  fs::copy_file(kBad / "misbehaving.so", folder_ / "a/other.so");
  fs::rename(folder_ / "a/other.so", file);
  // The same path was loaded before, and the old code stays; what counts is that the cache is not
  // asked, so the type is a loaded one.
  for (const Type* const type : Registry(options({"a"})).all()) EXPECT_TRUE(type->is_loaded());
}

TEST_F(RegistryTest, Damaged_cache_is_ignored_and_replaced) {
  copy("misbehaving.so", "a/many.so");
  const fs::path cache = folder_ / "cache/plugins.cache";
  Registry(options({"a"})).all();
  std::string content;
  {
    std::ifstream in(cache, std::ios::binary);
    content.assign(std::istreambuf_iterator<char>(in), {});
  }
  ASSERT_GT(content.size(), 1000u);
  std::string believable = content;
  believable.replace(believable.find("Breaks a promise."), 17, "Breaks a premise.");
  std::ofstream(cache, std::ios::binary) << believable;
  for (const Type* const type : Registry(options({"a"})).all()) {
    EXPECT_EQ(type->description(), "Breaks a promise.");
  }
  std::mt19937 random(1);
  for (int round = 0; round < 60; ++round) {
    std::string damaged = content;
    if (round % 3 == 0) damaged.resize(random() % damaged.size());
    for (int i = 0; i < 3 && !damaged.empty(); ++i) {
      damaged[random() % damaged.size()] ^= static_cast<char>(1 + random() % 255);
    }
    std::ofstream(cache, std::ios::binary) << damaged;
    for (const Type* const type : Registry(options({"a"})).all()) {
      ASSERT_TRUE(type->is_loaded()) << round;
    }
  }
  for (const Type* const type : Registry(options({"a"})).all()) EXPECT_FALSE(type->is_loaded());
}

TEST_F(RegistryTest, Cache_content_with_a_right_sum_and_wrong_data_is_ignored) {
  const auto library = Library::load(kBad / "misbehaving.so");
  ASSERT_TRUE(library);
  const std::string good = encode_types(0, (*library)->types());
  std::vector<const Type*> types;
  ASSERT_TRUE(decode_types(good, "/x.so", types));
  EXPECT_EQ(types.size(), (*library)->types().size());
  std::mt19937 random(1);
  for (int round = 0; round < 600; ++round) {
    std::string damaged = good;
    if (round % 3 == 0) damaged.resize(1 + random() % (damaged.size() - 1));
    damaged[random() % damaged.size()] = static_cast<char>(random());
    types.clear();
    // Whatever is accepted can be walked through.
    if (decode_types(damaged, "/x.so", types)) encode_types(0, types);
  }
}

constexpr sluice_parameter make_port() {
  sluice_parameter port = sluice::integer("port", "number", 0, 65535, 4953, "Where.");
  port.claim = "tcp-port";
  port.claim_when = "mode=listen";
  return port;
}

// Has something in every member.
class Rich final : public Filter<Rich> {
 public:
  static constexpr const char* kModes[] = {"listen", "connect"};
  static constexpr Info kInfo{"test.rich", "Rich", "Has everything.", SLUICE_TYPE_HEAVY};
  static constexpr sluice_parameter kParameters[] = {
      make_port(), sluice::choice("mode", kModes, 1, "Which.", kLive),
      sluice::text("host", "127.0.0.1", "Whom.", kSecret),
      sluice::list("map", nullptr, -1.5, 63.25, "Order.")};
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("sent", "frames", "Sent."),
      sluice::gauge("level", nullptr, "Level.", "port")};
  void filter(const float*, float*, uint32_t, uint32_t) {}
};

TEST_F(RegistryTest, Cache_content_keeps_every_member) {
  TypeRecord record;
  ASSERT_THAT(copy_type(&TypeOf<Rich>::kType, record), IsEmpty());
  ASSERT_THAT(check_type(record, 0, true), IsEmpty());
  const fs::path file = "/x.so";
  const Type original(record.data, file);
  const Type* const pointer = &original;
  const std::string content = encode_types(0, std::span(&pointer, 1));
  std::vector<const Type*> types;
  ASSERT_TRUE(decode_types(content, file, types));
  ASSERT_EQ(types.size(), 1u);
  EXPECT_EQ(encode_types(0, types), content);
  const Type& copy = *types[0];
  EXPECT_EQ(copy.id(), "test.rich");
  EXPECT_EQ(copy.name(), "Rich");
  EXPECT_EQ(copy.description(), "Has everything.");
  EXPECT_EQ(copy.file(), file);
  EXPECT_TRUE(copy.has_flag(SLUICE_TYPE_HEAVY));
  EXPECT_FALSE(copy.is_loaded());
  const sluice_parameter& port = copy.parameters()[0];
  EXPECT_EQ(port.maximum, 65535);
  EXPECT_EQ(port.default_number, 4953);
  EXPECT_STREQ(port.unit, "number");
  EXPECT_STREQ(port.claim, "tcp-port");
  EXPECT_STREQ(port.claim_when, "mode=listen");
  EXPECT_THAT(choices(copy.parameters()[1]),
              ElementsAre(::testing::StrEq("listen"), ::testing::StrEq("connect")));
  EXPECT_EQ(copy.parameters()[1].flags, kLive);
  EXPECT_STREQ(copy.parameters()[2].default_text, "127.0.0.1");
  EXPECT_EQ(copy.parameters()[2].claim, nullptr);
  EXPECT_EQ(copy.parameters()[3].minimum, -1.5);
  EXPECT_EQ(offers(copy.ports()[0]).size(), 1u);
  EXPECT_EQ(offers(copy.ports()[0])[0].rate_hz_maximum, SLUICE_MAX_RATE_HZ);
  EXPECT_EQ(copy.ports()[1].flags, uint32_t{SLUICE_PORT_SAME_FORMAT});
  EXPECT_EQ(copy.statistics()[0].kind, uint32_t{SLUICE_COUNTER});
  EXPECT_EQ(copy.statistics()[0].against, nullptr);
  EXPECT_STREQ(copy.statistics()[1].against, "port");
}

TEST_F(RegistryTest, Cache_that_cannot_be_written_does_no_harm) {
  copy("newer_minor.so", "a/one.so");
  RegistryOptions unwritable = options({"a"});
  unwritable.cache_file = "/proc/nowhere/plugins.cache";
  EXPECT_EQ(Registry(unwritable).all().size(), 1u);
}

TEST_F(RegistryTest, Without_home_there_is_no_cache_and_nothing_breaks) {
  copy("newer_minor.so", "a/one.so");
  const Variable home("HOME", nullptr);
  const Variable xdg("XDG_CACHE_HOME", nullptr);
  RegistryOptions homeless = options({"a"});
  homeless.cache_file.clear();
  EXPECT_EQ(Registry(homeless).all().size(), 1u);
}

TEST_F(RegistryTest, Cache_lies_where_the_desktop_wants_it) {
  copy("newer_minor.so", "a/one.so");
  RegistryOptions usual = options({"a"});
  usual.cache_file.clear();
  const Variable home("HOME", folder("home").c_str());
  {
    const Variable xdg("XDG_CACHE_HOME", "relative/is/ignored");
    Registry(usual).all();
    EXPECT_TRUE(fs::exists(folder_ / "home/.cache/sluice/plugins.cache"));
  }
  const Variable xdg("XDG_CACHE_HOME", folder("xdg").c_str());
  Registry(usual).all();
  EXPECT_TRUE(fs::exists(folder_ / "xdg/sluice/plugins.cache"));
}

TEST_F(RegistryTest, Default_folders_come_in_their_order) {
  const std::string path = folder("one") + "::" + folder("two") + ":/nowhere";
  const Variable plugin_path("SLUICE_PLUGIN_PATH", path.c_str());
  const Variable home("HOME", folder("home").c_str());
  folder("home/.local/lib/sluice");
  RegistryOptions usual = options({"given"});
  usual.has_default_dirs = true;
  Registry registry(usual);
  std::vector<std::string> folders;
  for (const fs::path& each : registry.folders()) folders.push_back(each);
  EXPECT_THAT(folders, ElementsAre(folder("given"), folder("one"), folder("two"),
                                   tests::plugin_folder(), folder("home/.local/lib/sluice")));
  EXPECT_THAT(registry.problems(), IsEmpty());
}

// What is shipped loads, and without a defect.
TEST_F(RegistryTest, Shipped_plugins_have_no_problems) {
  RegistryOptions shipped = options({});
  shipped.plugin_dirs.emplace_back(tests::plugin_folder());
  Registry registry(shipped);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(tests::plugin_folder())) {
    files += entry.path().extension() == ".so" ? 1 : 0;
  }
  const auto types = registry.all();
  EXPECT_GE(types.size(), files);
  for (const Problem& problem : registry.problems()) ADD_FAILURE() << problem.sentence;
  for (const Type* const type : types) {
    EXPECT_TRUE(
        fs::equivalent(type->file(), tests::plugin_folder() / (std::string(type->id()) + ".so")))
        << type->id();
    EXPECT_NE(type->description(), "");
    for (const sluice_parameter& parameter : type->parameters()) {
      EXPECT_STRNE(parameter.description, "") << type->id() << " " << parameter.key;
    }
  }
}

}  // namespace
}  // namespace sluice::loader
