// The program as a part of a shell's pipeline: samples on standard input and output, words on
// standard error alone.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/folders.hpp"

namespace sluice {
namespace {

namespace fs = std::filesystem;

class Pipes : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() /
             ("sluice-pipes-" + std::to_string(::getpid()) + "-" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  // Exit code of a command in which $SLUICE stands for the program.
  int shell(const std::string& command) const {
    const std::string line =
        "cd '" + folder.string() +
        "' && export HOME=. XDG_CACHE_HOME=cache XDG_RUNTIME_DIR=" + folder.string() +
        " SLUICE=" + (tests::build_folder() / "bin/sluice").string() + " && " + command;
    const int status = std::system(("exec /bin/bash -c \"" + line + "\"").c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  }
  std::string content(const char* name) const {
    std::ifstream file(folder / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path folder;
};

TEST_F(Pipes, Standard_input_comes_out_of_standard_output_bit_for_bit) {
  std::string in;
  for (uint32_t i = 0; i < 400'000; ++i) in += static_cast<char>((i * 2654435761U) >> 24);
  std::ofstream(folder / "in", std::ios::binary) << in;
  EXPECT_EQ(shell("cat in | \\$SLUICE run -e 'source.pipe -> filter.gain -> sink.pipe format=s16' "
                  "2>said | cat >out"),
            0);
  EXPECT_TRUE(content("out") == in);
  EXPECT_NE(content("said").find("Played"), std::string::npos);
  EXPECT_EQ(shell("\\$SLUICE run -e 'source.pipe -> sink.pipe' <in >out2 2>said"), 0);
  EXPECT_TRUE(content("out2") == in);
}

TEST_F(Pipes, Reader_that_leaves_ends_the_program_without_a_failure) {
  EXPECT_EQ(shell("set -o pipefail; \\$SLUICE run -e 'source.tone -> sink.pipe' 2>said | "
                  "head -c 400000 >out"),
            0);
  EXPECT_EQ(content("out").size(), 400'000U);
}

TEST_F(Pipes, Two_nodes_at_one_standard_output_are_refused) {
  EXPECT_NE(shell("\\$SLUICE run -e 'source.tone -> t:filter.gain -> sink.pipe; t -> sink.pipe' "
                  "2>said | cat >out"),
            -1);
  EXPECT_NE(content("said").find("Another node writes to standard output"), std::string::npos);
}

}  // namespace
}  // namespace sluice
