// Speakers behind a plugin of ALSA's that loses its server in the middle of a callback, where
// PortAudio 19.6 goes round for ever; see alsa_calls.cpp.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "host/support/sanitizers.hpp"
#include "tests/integration/sound_lab.hpp"

namespace sluice::tests {
namespace {

// With what is in the file that makes the PCM fail as its parameter.
class FailingPcm : public Cli, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
#if SLUICE_THREAD_SANITIZER
    GTEST_SKIP() << "ThreadSanitizer does not see how PortAudio synchronises.";
#endif
    write(work_ / "alsa.conf", "</usr/share/alsa/alsa.conf>\npcm_type.failing { lib \"" +
                                   (build_folder() / "failing_pcm" / "failing_pcm.so").string() +
                                   "\" }\npcm.failing { type failing  fails_while \"" +
                                   failure_.string() + "\" }\n");
    setenv("ALSA_CONFIG_PATH", (work_ / "alsa.conf").c_str(), 1);
  }

  const std::filesystem::path failure_ = work_ / "fails";
};

INSTANTIATE_TEST_SUITE_P(Failures, FailingPcm, ::testing::Values("", "beyond recovery"),
                         [](const auto& failure) {
                           return std::string(*failure.param == '\0' ? "of_polling" : "to_prepare");
                         });

TEST_P(FailingPcm, Failure_in_the_middle_of_a_callback_is_survived) {
  Running run(work_, home_,
              {"run", "-e", "source.tone live=true -> sink.speakers device=ALSA:failing"});
  const auto says = [&](const std::string& sentence, size_t times) {
    return run.wait_until([&] { return count_of(run.said().err, sentence) >= times; });
  };
  ASSERT_TRUE(says("Playing on ALSA:failing.", 1)) << run.said().err;
  write(failure_, GetParam());
  ASSERT_TRUE(says("The device is gone", 1)) << run.said().err.substr(0, 10'000);
  std::filesystem::remove(failure_);
  ASSERT_TRUE(says("Playing on ALSA:failing.", 2)) << run.said().err.substr(0, 10'000);
  run.signal(SIGINT);
  const Ended ended = run.finish();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

}  // namespace
}  // namespace sluice::tests
