// Completion and the manual, which are made of the commands' own definitions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "host/cli/command.hpp"
#include "tests/integration/cli_fixture.hpp"
#include "tests/support/folders.hpp"

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Completion : public Cli {
 protected:
  void start() {
    write(work_ / "scc.json", R"({"sluice": 1, "name": "scc", "nodes": {
        "tone": {"type": "source.tone", "params": {"live": true}},
        "volume": {"type": "filter.gain", "params": {"gain_db": -3}},
        "local": {"type": "sink.null", "params": {"pace": "real-time"}}, "box": "sink.null"},
      "edges": ["tone -> volume"],
      "routes": {"local": ["volume -> local"], "box": ["volume -> box"], "none": []}})");
    host_ = std::make_unique<Running>(work_, home_, Words{"run", "-q", "scc.json"});
    ASSERT_TRUE(host_->wait_until([&] { return sluice({"call", "route"}).exit_code == 0; }));
  }
  // Without descriptions.
  std::vector<std::string> complete(Words words) const {
    words.insert(words.begin(), {"complete", "--"});
    std::istringstream lines(output(words));
    std::vector<std::string> found;
    for (std::string line; std::getline(lines, line);) {
      found.push_back(line.substr(0, line.find('\t')));
    }
    return found;
  }
  // What the shell's own function makes of `words` of a line.
  std::vector<std::string> bash(const std::string& words, int last) const {
    const std::string command =
        "export HOME='" + home_.string() + "' XDG_RUNTIME_DIR='" + home_.string() + "' PATH='" +
        build_folder().string() + "/bin':$PATH; cd '" + work_.string() +
        "'; sluice completion bash >c; bash -c 'compopt() { :; }; . ./c; COMP_WORDS=(" + words +
        "); COMP_CWORD=" + std::to_string(last) +
        "; _sluice ${COMP_WORDS[0]}; printf \"%s\\n\" \"${COMPREPLY[@]}\"' >said";
    EXPECT_EQ(std::system(command.c_str()), 0);
    std::istringstream lines(content(work_ / "said"));
    std::vector<std::string> found;
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty()) found.push_back(line);
    }
    return found;
  }
  std::unique_ptr<Running> host_;
};

TEST_F(Completion, Knows_commands_options_and_files) {
  EXPECT_THAT(complete({""}), AllOf(Contains("run"), Contains("scc"), Not(Contains("complete"))));
  EXPECT_THAT(complete({"comp"}), ElementsAre("completion"));
  EXPECT_THAT(complete({"run", "--http-"}), ElementsAre("--http-token-file", "--http-origin"));
  EXPECT_THAT(complete({"run", "--http-token-file", ""}), ElementsAre(":files"));
  EXPECT_THAT(complete({"run", ""}), ElementsAre(":files"));
  EXPECT_THAT(complete({"completion", ""}), ElementsAre("bash", "zsh", "fish"));
  EXPECT_THAT(complete({"plugins", "source.t"}), Contains("source.tone"));
  EXPECT_THAT(complete({"nothing", ""}), IsEmpty());
  // Nobody runs, so that nothing is known.
  EXPECT_THAT(complete({"route", ""}), IsEmpty());
}

TEST_F(Completion, Knows_routes_nodes_and_parameters_of_what_runs) {
  start();
  EXPECT_THAT(complete({"scc", ""}), AllOf(Contains("local"), Contains("box"), Contains("none"),
                                           Contains("toggle"), Contains("main=box")));
  EXPECT_THAT(complete({"scc", "main=b"}), ElementsAre("main=box"));
  EXPECT_THAT(complete({"scc", "local", ""}), IsEmpty());
  EXPECT_THAT(complete({"route", "l"}), ElementsAre("local"));
  EXPECT_THAT(complete({"set", "vol"}), Contains("volume.gain_db="));
  EXPECT_THAT(complete({"remove", "-g", "scc", "b"}), ElementsAre("box"));
  EXPECT_THAT(complete({"status", "--graph", ""}), ElementsAre("scc"));
  EXPECT_THAT(complete({"call", "s"}),
              AllOf(Contains("set"), Contains("status"), Contains("subscribe")));
  // As bash splits words, and what it replaces of them.
  EXPECT_THAT(bash("scc l", 1), ElementsAre("local"));
  EXPECT_THAT(bash("sluice route \"\"", 2), Contains("box"));
  EXPECT_THAT(bash("scc main = b", 3), ElementsAre("box"));
  EXPECT_THAT(bash("sluice run sc", 2), ElementsAre("scc.json"));
}

TEST_F(Completion, Manual_has_every_command_and_option) {
  EXPECT_EQ(sluice({"man-pages", "man"}).exit_code, 0);
  const std::set<std::string> requests{".TH", ".SH", ".TP", ".B", ".BR", ".I", ".so"};
  size_t pages = 0;
  for (const auto& entry : fs::directory_iterator(work_ / "man")) {
    ++pages;
    std::istringstream lines(content(entry.path()));
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LT(line.size(), 1000u);
      if (!line.starts_with('.')) continue;
      EXPECT_TRUE(requests.contains(line.substr(0, line.find(' '))))
          << entry.path() << ": " << line;
    }
  }
  EXPECT_EQ(pages, cli::commands().size() + 2);
  const std::string run = content(work_ / "man" / "sluice-run.1");
  EXPECT_THAT(run, AllOf(HasSubstr("\\fB\\-\\-http\\fR \\fI[ADDRESS:]PORT\\fR\n"),
                         HasSubstr("\\fB\\-e\\fR, \\fB\\-\\-expression\\fR \\fITEXT\\fR\n"),
                         HasSubstr(".B sluice run\n[GRAPH | \\-e TEXT] [options]\n")));
  EXPECT_THAT(content(work_ / "man" / "sluice-call.1"),
              HasSubstr("\\fB\\-\\-ws\\fR[=\\fIURL\\fR]\n"));
  for (const cli::Command& command : cli::commands()) {
    EXPECT_THAT(content(work_ / "man" / "sluice.1"), HasSubstr(std::string("sluice\\-") + [&] {
                  std::string name = command.name;
                  for (size_t at = name.find('-'); at != std::string::npos;
                       at = name.find('-', at + 2)) {
                    name.insert(at, "\\");
                  }
                  return name;
                }()));
  }
}

}  // namespace
}  // namespace sluice::tests
