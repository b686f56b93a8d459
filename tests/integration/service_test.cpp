// The program as a service: what it tells its manager, what it does when asked to read its files
// again, and the units it is installed with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>

#include "tests/integration/cli_fixture.hpp"
#include "tests/support/daemon.hpp"
#include "tests/support/folders.hpp"

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

std::string graph(const std::string& gain_db) {
  return R"({"sluice": 1, "name": "served", "nodes": {
    "tone": {"type": "source.tone", "params": {"live": true}},
    "hub": {"type": "filter.gain", "params": {"gain_db": )" +
         gain_db + R"(}},
    "end": {"type": "sink.null", "params": {"pace": "real-time"}}},
  "edges": ["tone -> hub -> end"]})";
}

// Listens where a service manager would.
class Manager {
 public:
  explicit Manager(const fs::path& path)
      : descriptor_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.string().size() + 1);
    EXPECT_EQ(::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~Manager() {
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    ::close(descriptor_);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  // The next message that says more than that the process turns.
  std::string next() {
    for (;;) {
      const std::string message = any();
      if (message != "WATCHDOG=1") return message;
    }
  }
  std::string any() {
    pollfd waiting{descriptor_, POLLIN, 0};
    char text[4096];
    if (::poll(&waiting, 1, 60'000) != 1) return "none";
    const ssize_t size = ::recv(descriptor_, text, sizeof(text), 0);
    return size < 0 ? "none" : std::string(text, static_cast<size_t>(size));
  }

 private:
  const int descriptor_;
};

class Service : public Cli {};

TEST_F(Service, Manager_is_told_of_start_reload_and_end) {
  Manager manager(folder_ / "notify");
  write(work_ / "served.json", graph("-1"));
  Running host(work_, home_, {"run", "-q", "served.json"});
  EXPECT_EQ(manager.next(), "READY=1\nSTATUS=Playing served");
  write(work_ / "served.json", graph("-2"));
  host.signal(SIGHUP);
  EXPECT_THAT(manager.next(), MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"));
  EXPECT_THAT(manager.next(), HasSubstr("READY=1"));
  EXPECT_THAT(output({"call", "document"}), HasSubstr("\"gain_db\": -2"));

  // A file that is wrong changes nothing, and is told.
  write(work_ / "served.json", graph("1e9"));
  host.signal(SIGHUP);
  EXPECT_THAT(manager.next(), HasSubstr("RELOADING=1"));
  EXPECT_THAT(manager.next(), HasSubstr("READY=1"));
  EXPECT_THAT(output({"call", "document"}), HasSubstr("\"gain_db\": -2"));
  host.signal(SIGTERM);
  EXPECT_EQ(manager.next(), "STOPPING=1");
  const Ended ended = host.finish();
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.err, HasSubstr("The graph plays on as it was."));
}

TEST_F(Service, Watchdog_hears_from_a_host_that_turns) {
  Manager manager(folder_ / "notify");
  ::setenv("WATCHDOG_USEC", "200000", 1);
  write(work_ / "served.json", graph("-1"));
  Running host(work_, home_, {"run", "-q", "served.json"});
  EXPECT_THAT(manager.any(), HasSubstr("READY=1"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(manager.any(), "WATCHDOG=1");
}

TEST_F(Service, Manager_that_does_not_listen_is_no_obstacle) {
  ::setenv("NOTIFY_SOCKET", (folder_ / "nobody").c_str(), 1);
  write(work_ / "served.json", graph("-1"));
  const Ended ended = sluice({"run", "-q", "served.json", "--for", "0.1"});
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

// sd-daemon(3): a line that begins with <N> has that priority; time and name are the journal's.
TEST_F(Service, Lines_for_the_journal_begin_with_their_priority) {
  write(work_ / "served.json", R"({"sluice": 1, "name": "served", "nodes": {
    "tone": {"type": "source.tone", "params": {"duration_ms": 100}},
    "far": {"type": "sink.tcp", "params": {"host": "127.0.0.1", "port": 9}},
    "end": "sink.null"}, "edges": ["tone -> end", "tone -> far"]})");
  const std::string program = (build_folder() / "bin/sluice").string();
  // Said of what standard error is, so that a command's redirected errors are not taken for it.
  const auto said_with = [&](const std::string& stream) {
    const std::string command =
        "cd '" + work_.string() + "' && exec 2>said && export XDG_RUNTIME_DIR='" + home_.string() +
        "' XDG_CACHE_HOME='" + home_.string() + "' JOURNAL_STREAM=" + stream + " && '" + program +
        "' run served.json --for 0.3 --http 0 </dev/null";
    static_cast<void>(std::system(command.c_str()));
    return content(work_ / "said");
  };
  const std::string to_journal = said_with("$(stat -L -c %d:%i said)");
  EXPECT_THAT(to_journal, HasSubstr("<6>Control over HTTP at "));
  EXPECT_THAT(to_journal, HasSubstr("<4>far: "));
  std::istringstream text(to_journal);
  for (std::string line; std::getline(text, line);) {
    EXPECT_THAT(line, MatchesRegex("<[3467]>[^0-9].*"));
  }
  EXPECT_THAT(said_with("1:1"), HasSubstr(" info    Control over HTTP at "));
  // What ends the program is an error for the journal too.
  write(work_ / "served.json", graph("1e9"));
  EXPECT_THAT(said_with("$(stat -L -c %d:%i said)"), StartsWith("<3>served.json:"));
}

// systemd is asked itself, as unpacked below build/lab or as it is installed.
class Units : public Cli {
 protected:
  void SetUp() override {
    analyze_ = lab_program("systemd", "systemd-analyze").string();
    if (analyze_.empty() && fs::exists("/usr/bin/systemd-analyze")) {
      analyze_ = "/usr/bin/systemd-analyze";
    }
    if (analyze_.empty()) {
      GTEST_SKIP() << "systemd-analyze is not below build/lab/systemd; ./dev test puts it there.";
    }
    for (const char* scope : {"system", "user"}) {
      std::string unit =
          content(source_folder() / "systemd" / ("sluice-" + std::string(scope) + ".service.in"));
      constexpr std::string_view kPlace = "@SLUICE_PROGRAM@";
      const size_t at = unit.find(kPlace);
      ASSERT_NE(at, std::string::npos);
      unit.replace(at, kPlace.size(), (build_folder() / "bin/sluice").string());
      fs::create_directory(work_ / scope);
      // It looks for the manual, which is not installed here.
      const size_t manual = unit.find("Documentation=");
      unit.erase(manual, unit.find('\n', manual) + 1 - manual);
      write(work_ / scope / "sluice@.service", unit);
    }
  }
  // `scope`: "system" or "user".
  int analyze(const std::string& scope, const std::string& words) {
    // What units refer to is unpacked beside the program.
    const fs::path root = fs::path(analyze_).parent_path().parent_path() / "root";
    std::string units;
    for (const char* folder : {"usr/lib/systemd", "lib/systemd"}) {
      units += (root / folder / scope).string() + ":";
    }
    const std::string paths = fs::exists(root) ? "SYSTEMD_UNIT_PATH='" + units + "' " : "";
    const std::string command = "cd '" + work_.string() + "' && " + paths + "XDG_RUNTIME_DIR='" +
                                home_.string() + "' '" + analyze_ + "' --" + scope + " " + words +
                                " " + scope + "/sluice@.service >said 2>&1";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string analyze_;
};

TEST_F(Units, Are_what_systemd_reads) {
  EXPECT_EQ(analyze("system", "verify"), 0) << content(work_ / "said");
  EXPECT_EQ(analyze("user", "verify"), 0) << content(work_ / "said");
}

TEST_F(Units, System_unit_is_exposed_by_two_of_ten_at_most) {
  EXPECT_EQ(analyze("system", "security --offline=true --no-pager --threshold=20"), 0)
      << content(work_ / "said");
  EXPECT_THAT(content(work_ / "said"), HasSubstr("Overall exposure level"));
}

}  // namespace
}  // namespace sluice::tests
