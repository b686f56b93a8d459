#include "host/loader/elf_file.hpp"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sluice/plugin.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "tests/support/folders.hpp"
#include "tests/support/sound_files.hpp"

namespace sluice::loader {
namespace {

namespace fs = std::filesystem;
using support::ErrorCode;
using tests::TemporaryFolder;

const fs::path kBad = tests::bad_plugin_folder();
const std::string kGood = kBad / "newer_minor.so";

std::string read_whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string write(const TemporaryFolder& folder, const std::string& name,
                  const std::string& content) {
  const std::string path = folder / name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

// The error of check_plugin_file, which must be one; without the path in front.
std::string refusal(const std::string& path) {
  const auto status = check_plugin_file(path);
  EXPECT_FALSE(status);
  if (status) return {};
  EXPECT_TRUE(status.error().message.starts_with(path + " ")) << status.error().message;
  return status.error().message.substr(path.size() + 1);
}

// A plugin with one field of its ELF header changed.
template <typename Change>
std::string altered(const TemporaryFolder& folder, Change change) {
  std::string content = read_whole(kGood);
  Elf64_Ehdr header;
  std::memcpy(&header, content.data(), sizeof(header));
  change(header);
  std::memcpy(content.data(), &header, sizeof(header));
  return write(folder, "altered.so", content);
}

TEST(ElfFile, Plugin_shows_its_entry) {
  const auto summary = read_elf_file(kGood);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_TRUE(summary->has_entry);
  EXPECT_EQ(summary->entry.struct_size, sizeof(sluice_library));
  EXPECT_EQ(summary->entry.abi_major, 1);
  EXPECT_EQ(summary->entry.abi_minor, 7);
  EXPECT_EQ(summary->entry.build_flags, 0u);
  EXPECT_EQ(summary->entry.type_count, 1u);
}

TEST(ElfFile, Cpp_plugin_shows_needed_libraries) {
  const auto summary = read_elf_file(kBad / "misbehaving.so");
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_THAT(summary->needed, ::testing::Contains("libstdc++.so.6"));
  EXPECT_THAT(summary->needed, ::testing::Contains("libc.so.6"));
}

TEST(ElfFile, Missing_file_is_not_found) {
  EXPECT_EQ(refusal("/nowhere/filter.gate.so"), "does not exist.");
  EXPECT_EQ(check_plugin_file("/nowhere/filter.gate.so").error().code, ErrorCode::kNotFound);
}

TEST(ElfFile, Empty_file_is_refused) {
  const TemporaryFolder folder;
  EXPECT_EQ(refusal(write(folder, "empty.so", "")), "is empty.");
}

TEST(ElfFile, Text_file_is_refused) {
  const TemporaryFolder folder;
  EXPECT_EQ(refusal(write(folder, "text.so", "INPUT ( /usr/lib/libc.so )\n")),
            "is no shared object: it does not begin as an ELF file does.");
}

TEST(ElfFile, Folder_is_refused) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "folder.so");
  EXPECT_EQ(refusal(folder / "folder.so"), "is a folder, not a shared object.");
}

TEST(ElfFile, Pipe_is_refused_without_waiting_for_a_writer) {
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "pipe.so").c_str(), 0600), 0);
  EXPECT_EQ(refusal(folder / "pipe.so"), "is no regular file.");
}

TEST(ElfFile, Truncated_file_is_refused) {
  const TemporaryFolder folder;
  const std::string content = read_whole(kGood);
  const uint64_t end = segments_end(bytes_of(content));
  ASSERT_GT(end, 4096u);
  EXPECT_EQ(refusal(write(folder, "cut.so", content.substr(0, 4096))),
            "is damaged: it is cut short at 4096 of at least " + std::to_string(end) +
                " bytes. Build or copy it again.");
  EXPECT_EQ(refusal(write(folder, "cut.so", content.substr(0, 40))),
            "is damaged: its header is cut short. Build or copy it again.");
}

TEST(ElfFile, Truncated_debug_information_does_no_harm) {
  const TemporaryFolder folder;
  const std::string content = read_whole(kGood);
  const uint64_t end = segments_end(bytes_of(content));
  ASSERT_LT(end, content.size());
  EXPECT_TRUE(check_plugin_file(write(folder, "cut.so", content.substr(0, end))));
}

TEST(ElfFile, Other_machines_are_refused_by_name) {
  const TemporaryFolder folder;
#if defined(__x86_64__)
  EXPECT_EQ(refusal(altered(folder, [](Elf64_Ehdr& h) { h.e_machine = EM_AARCH64; })),
            "was built for aarch64; this machine is x86-64. Build it for x86-64.");
  EXPECT_EQ(refusal(altered(folder, [](Elf64_Ehdr& h) { h.e_machine = 4711; })),
            "was built for machine 4711; this machine is x86-64. Build it for x86-64.");
  EXPECT_EQ(refusal(altered(folder, [](Elf64_Ehdr& h) { h.e_ident[EI_CLASS] = ELFCLASS32; })),
            "was built for a 32-bit machine; Sluice is 64-bit. Build it for x86-64.");
  EXPECT_EQ(refusal(altered(folder, [](Elf64_Ehdr& h) { h.e_ident[EI_DATA] = ELFDATA2MSB; })),
            "was built for a big-endian machine. Build it for x86-64.");
#endif
}

TEST(ElfFile, Other_kinds_of_elf_files_are_refused) {
  const TemporaryFolder folder;
  EXPECT_EQ(refusal(altered(folder, [](Elf64_Ehdr& h) { h.e_type = ET_REL; })),
            "is an object file that has not been linked. Link it with -shared.");
  EXPECT_EQ(refusal(altered(folder, [](Elf64_Ehdr& h) { h.e_type = ET_EXEC; })),
            "is a program, not a shared object.");
  EXPECT_EQ(refusal(altered(folder, [](Elf64_Ehdr& h) { h.e_type = ET_CORE; })),
            "is an ELF file, but no shared object.");
}

TEST(ElfFile, Program_headers_outside_the_file_are_damage) {
  const TemporaryFolder folder;
  EXPECT_EQ(refusal(altered(folder, [](Elf64_Ehdr& h) { h.e_phoff = UINT64_MAX - 8; })),
            "is damaged: its program headers are cut short. Build or copy it again.");
  EXPECT_EQ(refusal(altered(folder, [](Elf64_Ehdr& h) { h.e_phnum = 0; })),
            "is damaged: it has no dynamic section. Build or copy it again.");
}

TEST(ElfFile, Library_without_entry_is_no_plugin) {
  EXPECT_EQ(refusal(kBad / "no_entry.so"),
            "is a shared object, but no Sluice plugin: it does not export sluice_entry.");
  EXPECT_EQ(refusal(kBad / "entry_is_function.so"),
            "is a shared object, but no Sluice plugin: it does not export sluice_entry.");
}

TEST(ElfFile, System_libraries_are_no_plugins) {
  // Larger files, other linkers' habits.
  for (const char* const file :
       {"/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6",
        "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"}) {
    if (!fs::exists(file)) continue;
    EXPECT_EQ(refusal(file),
              "is a shared object, but no Sluice plugin: it does not export sluice_entry.");
  }
}

TEST(ElfFile, Other_abi_is_refused) {
  EXPECT_EQ(refusal(kBad / "other_abi.so"),
            "was built for plugin ABI 2.3; this Sluice has ABI 1.0. Build it again with the SDK of "
            "this Sluice.");
}

TEST(ElfFile, Newer_minor_is_accepted) { EXPECT_TRUE(check_plugin_file(kGood)); }

TEST(ElfFile, Sanitized_plugin_is_refused_unless_the_host_is_too) {
  const auto summary = read_elf_file(kBad / "sanitized.so");
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_THAT(summary->sanitizers, ::testing::Contains("AddressSanitizer"));
  if ((host_build_flags() & SLUICE_BUILD_ADDRESS_SANITIZER) != 0) {
    EXPECT_TRUE(check_plugin_file(kBad / "sanitized.so"));
  } else {
    EXPECT_EQ(refusal(kBad / "sanitized.so"),
              "was built with AddressSanitizer, and Sluice was not. Build it again without "
              "-fsanitize=address.");
  }
}

TEST(ElfFile, Plugin_that_says_it_is_sanitized_is_refused) {
  if ((host_build_flags() & SLUICE_BUILD_THREAD_SANITIZER) != 0) GTEST_SKIP();
  EXPECT_EQ(refusal(kBad / "says_sanitized.so"),
            "was built with ThreadSanitizer, and Sluice was not. Build it again without "
            "-fsanitize=thread.");
}

// Every beginning of a plugin, and every plugin with a few bytes changed, gives an answer.
TEST(ElfFile, Damaged_in_any_place_ends_in_an_answer) {
  const std::string whole = read_whole(kGood);
  const std::string content = whole.substr(0, segments_end(bytes_of(whole)));
  for (std::size_t bytes = 0; bytes < content.size(); bytes += 7) {
    const auto summary = read_elf(bytes_of(content).first(bytes));
    ASSERT_FALSE(summary) << bytes;
    ASSERT_FALSE(summary.error().message.empty());
  }
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::string changed = content;
    // Mostly in the tables at the beginning, where it matters.
    const std::size_t reach = round % 4 == 0 ? changed.size() : 2048;
    for (int i = 0; i < 4; ++i) changed[random() % reach] = static_cast<char>(random());
    const auto summary = read_elf(bytes_of(changed));
    ASSERT_TRUE(summary || !summary.error().message.empty());
  }
}

}  // namespace
}  // namespace sluice::loader
