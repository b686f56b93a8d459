// The ALSA nodes on the real loopback driver, in the machine of tests/lab/vm: two cards, Loopback
// and Second. Time inside is virtual, so nothing here depends on how busy the host is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/daemon.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/netlink.hpp"

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

const std::string kSluice = build_folder() / "bin/sluice";
constexpr uint32_t kRateHz = 48000;

size_t count_of(const std::string& text, const std::string& word) {
  size_t count = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

// The number in front of `word` in the last lines that Sluice writes; -1 if it is not there.
double figure(const std::string& text, const std::string& before, const std::string& after) {
  const size_t at = text.rfind(before);
  if (at == std::string::npos) return -1;
  const size_t end = text.find(after, at + before.size());
  if (end == std::string::npos) return -1;
  return std::strtod(text.c_str() + at + before.size(), nullptr);
}

// The numbers of source.tone's counter in a raw file, frame by frame.
std::vector<uint32_t> counter_in(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<uint32_t> numbers;
  for (size_t at = 0; at + 4 <= bytes.size(); at += 4) {
    uint16_t low = 0, high = 0;
    std::memcpy(&low, bytes.data() + at, 2);
    std::memcpy(&high, bytes.data() + at + 2, 2);
    numbers.push_back(low | uint32_t{high} << 16);
  }
  return numbers;
}

// The same where a card was played into with floats: as s16.
void as_s16(const fs::path& floats, const fs::path& to) {
  std::ifstream file(floats, std::ios::binary);
  std::ofstream out(to, std::ios::binary);
  for (float sample = 0; file.read(reinterpret_cast<char*>(&sample), sizeof(sample));) {
    const auto value = static_cast<int16_t>(std::lround(sample * 32768.0F));
    out.write(reinterpret_cast<const char*>(&value), sizeof(value));
  }
}

// How many of the numbers 1, 2, 3, ... follow upon each other from the first 1 on.
uint32_t counted(const std::vector<uint32_t>& numbers) {
  auto at = std::find(numbers.begin(), numbers.end(), 1U);
  uint32_t count = 0;
  while (at != numbers.end() && *at == count + 1) ++at, ++count;
  return count;
}

class Vm : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    // What is loaded once is not waited for again: that would be a leap of the virtual clock.
    for (const char* const graph :
         {"source.tone duration_ms=100 -> sink.alsa device=hw:Second,0,1",
          "source.tone duration_ms=100 -> filter.convert format=s16 -> sink.pipe path=warm.raw"}) {
      Daemon warm(kSluice, {"run", "-e", graph}, "/dev/shm", "/dev/shm/warm.log");
      wait_until([&] { return !warm.is_running(); });
    }
    Daemon warm(kSluice, {"run", "-e", "source.aloop subdevice=1 -> sink.wav path=warm.wav"},
                "/dev/shm", "/dev/shm/warm2.log");
    wait_until([&] { return warm.log().find("Captures from") != std::string::npos; });
    warm.stop(SIGINT);
  }
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }

  static bool wait_until(const std::function<bool()>& condition, int seconds = 60) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  static void pass(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

  std::unique_ptr<Daemon> start(const std::string& name, const fs::path& program,
                                const Words& words) const {
    return std::make_unique<Daemon>(program, words, folder_, folder_ / (name + ".log"));
  }
  std::unique_ptr<Daemon> sluice(const std::string& name, const std::string& graph) const {
    return start(name, kSluice, {"run", "-e", graph});
  }
  static bool says(Daemon& daemon, const std::string& word, size_t times = 1) {
    return wait_until([&] { return count_of(daemon.log(), word) >= times; });
  }
  // Ends it as a person would; what it has said.
  static std::string finish(Daemon& daemon) {
    daemon.signal(SIGINT);
    wait_until([&] { return !daemon.is_running(); });
    return daemon.log();
  }

  // A file for aplay: the counter between silences, as the driver forgets the end of what drains.
  fs::path counter_file(uint32_t ms) const {
    const fs::path counter = folder_ / "counter.raw", file = folder_ / "padded.raw";
    Daemon maker(kSluice,
                 {"render", "-e",
                  "source.tone wave=counter duration_ms=" + std::to_string(ms) +
                      " -> sink.pipe path=" + counter.string()},
                 folder_, folder_ / "maker.log");
    {
      // A FIFO that it makes: read to its end.
      wait_until([&] { return fs::exists(counter); });
      std::ifstream from(counter, std::ios::binary);
      std::ofstream to(file, std::ios::binary);
      const std::string silence(size_t{kRateHz} / 2 * 4, '\0');
      to << silence << from.rdbuf() << silence;
    }
    wait_until([&] { return !maker.is_running(); });
    return file;
  }
  Words aplay(const std::string& device, const fs::path& file, const std::string& rate) const {
    return {"-D", device, "-t", "raw", "-f", "S16_LE", "-c", "2", "-r", rate, file.string()};
  }

  const fs::path folder_ = "/dev/shm/vm";
  const fs::path aplay_ = lab_program("vm", "aplay");
  const fs::path arecord_ = lab_program("vm", "arecord");
  const fs::path amixer_ = lab_program("vm", "amixer");
};

TEST_F(Vm, Aplay_into_the_hub_comes_out_of_a_second_card_bit_exactly) {
  const fs::path file = counter_file(3000);
  auto route = sluice("route", "source.aloop drift=none -> sink.alsa device=hw:Second,0,0");
  ASSERT_TRUE(says(*route, "Plays into")) << route->log();
  auto recorder = start("arecord", arecord_,
                        {"-D", "hw:Second,1,0", "-t", "raw", "-f", "S16_LE", "-c", "2", "-r",
                         "48000", "--buffer-size", "16384", "got.raw"});
  pass(500);
  auto player = start("aplay", aplay_, aplay("hw:Loopback,0,0", file, "48000"));
  EXPECT_TRUE(says(*route, "Somebody plays into hw:Loopback,0,0")) << route->log();
  EXPECT_TRUE(wait_until([&] { return !player->is_running(); })) << player->log();
  pass(500);
  finish(*recorder);
  const std::string log = finish(*route);
  EXPECT_EQ(counted(counter_in(folder_ / "got.raw")), 3 * kRateHz) << log << recorder->log();
}

TEST_F(Vm, Isolated_nodes_are_as_exact_and_come_back_when_their_processes_are_killed) {
  const fs::path file = counter_file(2000);
  auto route = sluice("route",
                      "source.aloop drift=none isolate=true -> sink.alsa device=hw:Second,0,0 "
                      "isolate=true");
  for (size_t times = 1; times <= 2; ++times) {
    ASSERT_TRUE(says(*route, "Plays into", times)) << route->log();
    ASSERT_TRUE(says(*route, "Captures from", times)) << route->log();
    auto recorder = start("arecord", arecord_,
                          {"-D", "hw:Second,1,0", "-t", "raw", "-f", "S16_LE", "-c", "2", "-r",
                           "48000", "--buffer-size", "16384", "got.raw"});
    pass(500);
    auto player = start("aplay", aplay_, aplay("hw:Loopback,0,0", file, "48000"));
    EXPECT_TRUE(wait_until([&] { return !player->is_running(); })) << player->log();
    pass(500);
    finish(*recorder);
    EXPECT_EQ(counted(counter_in(folder_ / "got.raw")), 2 * kRateHz)
        << route->log() << recorder->log();
    if (times == 1) {
      EXPECT_EQ(route->kill_isolated(), 2U);
    }
  }
  const std::string log = finish(*route);
  EXPECT_EQ(count_of(log, "crashed (SIGKILL) in process"), 2U) << log;
}

TEST_F(Vm, Shipped_hub_graph_plays_on_the_local_card) {
  const fs::path file = counter_file(3000);
  auto route = start("route", kSluice,
                     {"run", (source_folder() / "graphs" / "aloop-hub.json").string(), "--var",
                      "local=hw:CARD=Second,DEV=0", "--var", "box=127.0.0.1"});
  ASSERT_TRUE(says(*route, "Plays into")) << route->log();
  auto recorder = start("arecord", arecord_,
                        {"-D", "hw:Second,1,0", "-t", "raw", "-f", "FLOAT_LE", "-c", "2", "-r",
                         "48000", "--buffer-size", "16384", "floats.raw"});
  pass(500);
  auto player = start("aplay", aplay_, aplay("hw:Loopback,0,0", file, "48000"));
  EXPECT_TRUE(says(*route, "Somebody plays into hw:Loopback,0,0")) << route->log();
  EXPECT_TRUE(wait_until([&] { return !player->is_running(); })) << player->log();
  pass(500);
  finish(*recorder);
  const std::string log = finish(*route);
  as_s16(folder_ / "floats.raw", folder_ / "got.raw");
  EXPECT_EQ(counted(counter_in(folder_ / "got.raw")), 3 * kRateHz) << log << recorder->log();
}

TEST_F(Vm, Printed_configuration_sends_what_plays_by_default_into_the_hub) {
  const fs::path file = counter_file(2000);
  auto printer = start("printer", "/bin/sh",
                       {"-c", kSluice + " devices --asoundrc --latency-ms 60 >.asoundrc"});
  ASSERT_TRUE(wait_until([&] { return !printer->is_running(); }));
  auto route = sluice("route", "source.aloop drift=none -> sink.alsa device=hw:Second,0,0");
  ASSERT_TRUE(says(*route, "Plays into")) << route->log();
  auto recorder = start("arecord", arecord_,
                        {"-D", "hw:Second,1,0", "-t", "raw", "-f", "S16_LE", "-c", "2", "-r",
                         "48000", "--buffer-size", "16384", "got.raw"});
  Words words = aplay("default", file, "48000");
  words.insert(words.begin(), {"HOME=" + folder_.string(), aplay_.string()});
  auto player = start("aplay", "/usr/bin/env", words);
  EXPECT_TRUE(says(*route, "Somebody plays into hw:Loopback,0,0")) << player->log();
  EXPECT_TRUE(wait_until([&] { return !player->is_running(); })) << player->log();
  pass(500);
  finish(*recorder);
  const std::string log = finish(*route);
  EXPECT_EQ(counted(counter_in(folder_ / "got.raw")), 2 * kRateHz) << log << player->log();
}

TEST_F(Vm, Format_of_who_came_first_is_explained_and_waited_out) {
  std::ofstream(folder_ / "zeros.raw", std::ios::binary) << std::string(60 * 44100 * 4, '\0');
  auto player = start("aplay", aplay_, aplay("hw:Loopback,0,0", folder_ / "zeros.raw", "44100"));
  ASSERT_TRUE(says(*player, "Rate 44100"));
  pass(200);
  auto route = sluice("route", "source.aloop -> sink.null");
  EXPECT_TRUE(says(*route, "was opened first")) << route->log();
  EXPECT_THAT(route->log(),
              AllOf(HasSubstr("hw:Loopback,0,0, was opened first, with 44100 Hz, 2 channels, s16"),
                    HasSubstr("this node is set to 48000 Hz, 2 channels, s16"),
                    HasSubstr("End aplay (process")));
  player->stop(SIGKILL);
  EXPECT_TRUE(says(*route, "Captures from")) << route->log();
  EXPECT_EQ(count_of(route->log(), "was opened first"), 1U) << route->log();
  // And now it is the other way round: ours came first.
  player = start("aplay2", aplay_, aplay("hw:Loopback,0,0", folder_ / "zeros.raw", "44100"));
  EXPECT_TRUE(says(*player, "rate is not accurate") || says(*player, "Rate 44100"))
      << player->log();
  EXPECT_TRUE(says(*route, "Somebody plays")) << route->log();
  player->stop(SIGKILL);
  finish(*route);
}

TEST_F(Vm, Other_end_that_stops_and_starts_is_said_once_each_time) {
  std::ofstream(folder_ / "zeros.raw", std::ios::binary) << std::string(kRateHz * 4, '\0');
  auto route = sluice("route", "source.aloop -> sink.null");
  EXPECT_TRUE(says(*route, "Waiting for somebody to play into hw:Loopback,0,0")) << route->log();
  for (size_t times = 1; times <= 3; ++times) {
    auto player = start("aplay", aplay_, aplay("hw:Loopback,0,0", folder_ / "zeros.raw", "48000"));
    EXPECT_TRUE(says(*route, "Somebody plays", times)) << route->log();
    EXPECT_TRUE(says(*route, "Waiting for somebody", times + 1)) << route->log();
  }
  const std::string log = finish(*route);
  EXPECT_EQ(count_of(log, "Somebody plays"), 3U);
  EXPECT_EQ(count_of(log, "Captures from"), 1U) << log;
}

TEST_F(Vm, Unplugged_card_comes_back_and_the_rest_plays_on) {
  const auto plug = [](const char* what) {
    std::ofstream(std::string("/sys/bus/platform/drivers/snd_aloop/") + what) << "snd_aloop.1";
  };
  // The tone plays on into nothing while Second, captured from and played into, is away.
  std::ofstream(folder_ / "graph.json") << R"({"sluice": 1,
    "nodes": {
      "tone": {"type": "source.tone", "params": {"live": true}},
      "card": {"type": "sink.alsa", "params": {"device": "hw:Second,0,0", "format": "s16"}},
      "nothing": {"type": "sink.null", "params": {"pace": "real-time"}},
      "hub": {"type": "source.aloop", "params": {"card": "Second", "drift": "none"}},
      "recorder": "sink.null"},
    "edges": ["tone -> card", "tone -> nothing", "hub -> recorder"]})";
  auto route = start("route", kSluice, {"run", "graph.json"});
  ASSERT_TRUE(says(*route, "Plays into") && says(*route, "Captures from")) << route->log();
  pass(500);
  plug("unbind");
  EXPECT_TRUE(says(*route, "is gone", 2)) << route->log();
  pass(1000);
  EXPECT_TRUE(route->is_running());
  plug("bind");
  const auto back = std::chrono::steady_clock::now();
  EXPECT_TRUE(says(*route, "Plays into", 2) && says(*route, "Captures from", 2)) << route->log();
  EXPECT_LT(std::chrono::steady_clock::now() - back, std::chrono::seconds(1));
  pass(1000);
  const std::string log = finish(*route);
  // Some 2.5 s have passed, all of them played into nothing.
  EXPECT_GT(figure(log, "nothing (sink.null): ", " frames"), 2 * kRateHz) << log;
  EXPECT_THAT(log, HasSubstr("losses 1"));
}

TEST_F(Vm, Clock_of_the_hub_is_shifted_to_a_card_that_is_slow_by_a_thousandth) {
  auto mixer =
      start("amixer", amixer_,
            {"-c", "Second", "cset", "iface=PCM,name='PCM Rate Shift 100000',device=1", "100100"});
  ASSERT_TRUE(wait_until([&] { return !mixer->is_running(); }));
  auto route = sluice("route",
                      "source.aloop drift=rate-shift -> filter.gain -> sink.alsa "
                      "device=hw:Second,0,0");
  ASSERT_TRUE(says(*route, "Plays into")) << route->log();
  auto player = sluice("player",
                       "source.tone -> sink.alsa device=hw:Loopback,0,0 format=s16 "
                       "rate_hz=48000 channels=2");
  ASSERT_TRUE(says(*player, "Plays into")) << player->log();
  pass(70'000);
  const std::string log = finish(*route);
  finish(*player);
  // The loop may still be under way: without it the shift stays at 0, and the card runs dry.
  EXPECT_NEAR(figure(log, "rate shift ", " ppm"), -1000, 700) << log;
  EXPECT_THAT(log, Not(HasSubstr("underruns")));
  mixer =
      start("amixer", amixer_,
            {"-c", "Second", "cset", "iface=PCM,name='PCM Rate Shift 100000',device=1", "100000"});
  wait_until([&] { return !mixer->is_running(); });
}

TEST_F(Vm, Frames_missed_while_stopped_are_counted_and_leave_their_place) {
  const fs::path file = counter_file(4000);
  auto route = sluice("route", "source.aloop drift=none -> sink.pipe path=got.raw");
  auto reader =
      start("cat", "/bin/sh",
            {"-c", "while [ ! -p got.raw ]; do sleep 0.01; done; exec cat got.raw >copy.raw"});
  ASSERT_TRUE(says(*route, "Captures from")) << route->log();
  auto player = start("aplay", aplay_, aplay("hw:Loopback,0,0", file, "48000"));
  ASSERT_TRUE(says(*route, "Somebody plays"));
  pass(1500);
  route->signal(SIGSTOP);
  pass(300);
  route->signal(SIGCONT);
  EXPECT_TRUE(wait_until([&] { return !player->is_running(); }));
  pass(300);
  const std::string log = finish(*route);
  EXPECT_TRUE(wait_until([&] { return !reader->is_running(); }));
  const double lost = figure(log, "lost ", " frames");
  EXPECT_GE(lost, 0.2 * kRateHz) << log;
  EXPECT_LE(lost, 0.4 * kRateHz) << log;
  // Silence stands where frames were missed: what comes behind has kept its place.
  const std::vector<uint32_t> got = counter_in(folder_ / "copy.raw");
  const auto first = std::find(got.begin(), got.end(), 1U);
  const auto last = std::find(got.begin(), got.end(), 4 * kRateHz);
  ASSERT_NE(first, got.end());
  ASSERT_NE(last, got.end());
  EXPECT_EQ(last - first, 4 * kRateHz - 1) << log;
}

// Here and not between name spaces, as the kernel of this machine has netem.
TEST_F(Vm, Network_that_delays_mixes_up_loses_and_goes_away_for_a_second_loses_no_frame) {
  constexpr int64_t kMs = 1'000'000;
  ASSERT_EQ(make_bad("lo", 40 * kMs, 15 * kMs, 0.03), 0);
  std::ofstream(folder_ / "graph.json") << R"({"sluice": 1,
    "nodes": {
      "tone": {"type": "source.tone",
               "params": {"wave": "counter", "live": true, "duration_ms": 14000}},
      "send": {"type": "sink.tcp", "params": {"port": 24964, "lead_ms": 4000}},
      "receive": {"type": "source.tcp", "params": {"port": 24964, "until": "first-sender"}},
      "compare": "sink.compare"},
    "edges": ["tone -> send", "receive -> compare.received",
              {"from": "tone", "to": "compare.reference", "buffer_ms": 12000}]})";
  auto sender = start("sender", kSluice, {"run", "graph.json", "--stats", "stats.jsonl"});
  ASSERT_TRUE(says(*sender, "Connected to")) << sender->log();
  pass(8000);
  EXPECT_EQ(make_bad("lo", 40 * kMs, 15 * kMs, 1), 0);
  pass(1000);
  EXPECT_EQ(make_bad("lo", 40 * kMs, 15 * kMs, 0), 0);
  EXPECT_TRUE(wait_until([&] { return !sender->is_running(); })) << sender->log();
  EXPECT_EQ(make_bad("lo", 0, 0, 0), 0);
  EXPECT_THAT(sender->log(), HasSubstr("bit-exact, none lost"));
  EXPECT_EQ(count_of(sender->log(), "Connected to"), 1U) << sender->log();
  std::ifstream file(folder_ / "stats.jsonl");
  const std::string statistics{std::istreambuf_iterator<char>(file), {}};
  EXPECT_GT(figure(statistics, "\"retransmits\":", ","), 0);
  EXPECT_GT(figure(statistics, "\"round_trip_us\":", ","), 60'000);
  EXPECT_EQ(figure(statistics, "\"underruns\":", ","), 0);
}

TEST_F(Vm, Bad_devices_are_told_apart) {
  auto holder =
      sluice("holder", "source.alsa device=hw:Loopback,1,1 channels=2 rate_hz=48000 -> sink.null");
  ASSERT_TRUE(says(*holder, "Captures from")) << holder->log();
  auto second = sluice("second", "source.alsa device=hw:Loopback,1,1 -> sink.null");
  EXPECT_TRUE(says(*second, "is busy: sluice (process")) << second->log();
  finish(*holder);
  EXPECT_TRUE(says(*second, "Captures from")) << second->log();
  finish(*second);

  auto none = sluice("none", "source.aloop card=Nope -> sink.null");
  EXPECT_TRUE(says(*none, "modprobe snd-aloop id=Nope")) << none->log();
  EXPECT_THAT(none->log(), HasSubstr("there are: Loopback, Second"));
  finish(*none);

  auto wrong =
      sluice("wrong", "source.tone rate_hz=48000 -> sink.alsa device=hw:Loopback,0,1 rate_hz=4000");
  EXPECT_TRUE(says(*wrong, "it offers 8000 to 192000 Hz")) << wrong->log();

  // Root without its powers meets a device that nobody may open.
  const fs::path device = "/dev/snd/pcmC0D1c";
  fs::permissions(device, fs::perms::none);
  auto stranger = start("stranger", "/usr/bin/setpriv",
                        {"--bounding-set=-all", "--inh-caps=-all", kSluice, "run", "-e",
                         "source.alsa device=hw:Loopback,1 -> sink.null"});
  EXPECT_TRUE(says(*stranger, "group audio")) << stranger->log();
  fs::permissions(device, fs::perms::owner_all);
}

}  // namespace
}  // namespace sluice::tests
