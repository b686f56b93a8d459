#include "host/loader/library.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/folders.hpp"
#include "tests/support/sound_files.hpp"

namespace sluice::loader {
namespace {

namespace fs = std::filesystem;
using support::ErrorCode;
using ::testing::ElementsAre;

const fs::path kBad = tests::bad_plugin_folder();

std::string path_of(const char* name) { return kBad / name; }

// The sentence of a plugin that must not load, without the path.
std::string refusal(const char* name) {
  const auto library = Library::load(path_of(name));
  EXPECT_FALSE(library) << name;
  if (library) return {};
  EXPECT_TRUE(library.error().message.starts_with(path_of(name))) << library.error().message;
  return library.error().message.substr(path_of(name).size());
}

TEST(Library, Newer_minor_loads_with_what_is_known) {
  const auto library = Library::load(path_of("newer_minor.so"));
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_EQ((*library)->name(), "Newer");
  EXPECT_EQ((*library)->version(), "");
  EXPECT_EQ((*library)->abi_minor(), 7);
  EXPECT_THAT((*library)->defects(), ElementsAre());
  ASSERT_EQ((*library)->types().size(), 1u);
  const Type& type = *(*library)->types()[0];
  EXPECT_EQ(type.id(), "bad.newer");
  EXPECT_TRUE(type.is_loaded());
  EXPECT_EQ(type.data().flags, 0u) << "a flag of a time to come is left out";
  // Elements lie further apart in the plugin than here.
  ASSERT_EQ(type.parameters().size(), 2u);
  EXPECT_STREQ(type.parameters()[1].key, "second");
  EXPECT_STREQ(type.parameters()[1].default_text, "two");
  EXPECT_EQ(type.parameters()[0].flags, uint32_t{SLUICE_PARAMETER_LIVE});
  ASSERT_EQ(type.ports().size(), 2u);
  EXPECT_STREQ(type.ports()[1].key, "out");
  EXPECT_EQ(type.ports()[1].direction, uint32_t{SLUICE_OUTPUT});
  EXPECT_NE(type.find_port("in"), nullptr);
  EXPECT_EQ(type.find_port("nothing"), nullptr);
  EXPECT_EQ(type.find_parameter("first_db")->default_number, -6);
}

TEST(Library, Same_file_is_the_same_library) {
  const auto first = Library::load(path_of("newer_minor.so"));
  const auto second = Library::load(kBad / "not_searched" / ".." / "newer_minor.so");
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  EXPECT_EQ(*first, *second);
}

// Their constructors abort.
TEST(Library, Unsuitable_file_is_refused_before_its_code_runs) {
  EXPECT_EQ(refusal("no_entry.so"),
            " is a shared object, but no Sluice plugin: it does not export sluice_entry.");
  EXPECT_EQ(refusal("other_abi.so"),
            " was built for plugin ABI 2.3; this Sluice has ABI 1.0. Build it again with the SDK "
            "of this Sluice.");
}

TEST(Library, Missing_symbol_is_named_as_it_was_written) {
  EXPECT_EQ(refusal("missing_symbol.so"),
            " cannot be loaded: it uses acme::tune(int, char const*), which is defined nowhere. "
            "Link it with the library that defines it.");
}

TEST(Library, Missing_library_is_named) {
  EXPECT_EQ(refusal("missing_library.so"),
            " cannot be loaded: it needs the library libacme.so, which was not found. Install it.");
}

TEST(Library, Null_table_of_types_is_refused) {
  EXPECT_EQ(refusal("null_types.so"), ": the table of types in sluice_entry is null.");
  EXPECT_EQ(Library::load(path_of("null_types.so")).error().code, ErrorCode::kInvalid);
}

TEST(Library, Defective_types_are_left_out_and_named) {
  const auto library = Library::load(path_of("defective.so"));
  ASSERT_TRUE(library) << library.error().message;
  ASSERT_EQ((*library)->types().size(), 1u);
  EXPECT_EQ((*library)->types()[0]->id(), "bad.good");
  EXPECT_EQ((*library)->types()[0]->execution(), uint32_t{SLUICE_EXECUTION_PASSIVE});
  const std::string start = path_of("defective.so") + ": ";
  EXPECT_THAT(
      (*library)->defects(),
      ElementsAre(start + "type bad.good: the plugin offers it twice; the first one counts.",
                  start + "type bad.no-functions: its functions are null.",
                  start + "type bad.null-ports: it has 2 ports, but the pointer to them is null.",
                  start + "type bad.default, parameter gain_db: its default 30 is outside -60 to "
                          "20.",
                  start + "a type is null."));
}

TEST(ExplainLoadError, Of_a_library_that_the_plugin_needs_names_both) {
  EXPECT_EQ(explain_load_error("/p/a.so", "/l/libb.so.1: undefined symbol: _Z1fv, version B_2"),
            "/p/a.so cannot be loaded: the library /l/libb.so.1 uses f(), which is defined "
            "nowhere. Link it with the library that defines it.");
}

TEST(ExplainLoadError, Of_a_newer_system_names_the_version) {
  EXPECT_EQ(explain_load_error("/p/a.so",
                               "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.99' not found "
                               "(required by /p/a.so)"),
            "/p/a.so cannot be loaded: it needs GLIBC_2.99 of /lib/x86_64-linux-gnu/libc.so.6, and "
            "the one installed is older or another. Build the plugin on this system or install a "
            "newer library.");
}

TEST(ExplainLoadError, Of_anything_else_quotes_the_system) {
  EXPECT_EQ(explain_load_error("/p/a.so", "/p/a.so: cannot allocate memory in static TLS block"),
            "/p/a.so cannot be loaded: /p/a.so: cannot allocate memory in static TLS block.");
}

}  // namespace
}  // namespace sluice::loader
