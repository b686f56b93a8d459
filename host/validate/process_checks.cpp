// Passive nodes: what goes in, what comes out, and how.
#include <fmt/format.h>

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <map>
#include <string>

#include "host/support/thread.hpp"
#include "host/validate/check.hpp"
#include "host/validate/rt_guard.hpp"

namespace sluice::validate {
namespace {

// What a node that makes several frames at once may ask for.
constexpr uint32_t kLeastRoom = 64;

// Plays with this cut in a fresh node.
std::vector<float> fresh(Subject& subject, const Cut& cut,
                         const sluice_format& wanted = NodeHost::kStereo) {
  NodeHost host(subject.data(), subject.values());
  if (!subject.make(host, wanted, std::max(cut.block_frames, cut.room_frames))) return {};
  return played(subject, host, cut);
}

double peak(const std::vector<float>& samples) {
  double highest = 0;
  for (const float sample : samples) highest = std::max<double>(highest, std::fabs(sample));
  return highest;
}

// The largest difference of two streams over their common length.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max<double>(largest, std::fabs(double{a[i]} - double{b[i]}));
  }
  return largest;
}

void expect_finite(Subject& subject, const std::vector<float>& output, const char* input) {
  const auto is_bad = [](float sample) { return !std::isfinite(sample); };
  const auto at = std::ranges::find_if(output, is_bad);
  if (at == output.end()) return;
  subject.fail(fmt::format("{} comes out as {} at sample {}.", input,
                           std::isnan(*at) ? "NaN" : "infinity", at - output.begin()));
}

void check_blocks(Subject& subject) {
  if (!subject.type()) return;
  for (const uint32_t frames : {1U, 64U, 480U, 4096U}) {
    fresh(subject, {.frames = std::min<uint64_t>(frames * 40, 12'000),
                    .block_frames = frames,
                    .room_frames = std::max(frames, kLeastRoom)});
    if (subject.has_failed()) return;
  }
}

void check_random_blocks(Subject& subject) {
  if (!subject.type()) return;
  for (uint64_t round = 1; round <= 6; ++round) {
    fresh(subject, {.block_frames = 700, .seed = subject.seed() * 100 + round});
    if (subject.has_failed()) return;
  }
}

void check_end_of_memory(Subject& subject) {
  if (!subject.type()) return;
  for (const uint32_t frames : {1U, 7U, 480U}) {
    fresh(subject, {.frames = frames * 20,
                    .block_frames = frames,
                    .room_frames = std::max(frames, kLeastRoom),
                    .fence = Fence::kPages});
  }
}

void check_splits(Subject& subject) {
  if (!subject.type()) return;
  if (subject.data().flags & SLUICE_TYPE_BRIDGES_CLOCKS) {
    return subject.skip("It follows two clocks, of which the calls are a part.");
  }
  const std::vector<float> whole = fresh(subject, {.block_frames = 480});
  if (whole.empty()) return;
  for (const Cut& cut : {Cut{.block_frames = 37}, Cut{.block_frames = 4096}}) {
    const std::vector<float> other = fresh(subject, cut);
    const double differs = difference(whole, other);
    if (differs > 1e-5) {
      subject.fail(
          fmt::format("the sound depends on the size of blocks: {} and 480 frames differ "
                      "by {:.3g}.",
                      cut.block_frames, differs));
    }
  }
}

void check_formats(Subject& subject) {
  if (!subject.type()) return;
  int played_formats = 0;
  const auto play = [&](sluice_sample_format sample_format, uint32_t channels, uint32_t rate_hz) {
    const sluice_format wanted{sizeof(wanted), sample_format, channels, rate_hz};
    NodeHost host(subject.data(), subject.values());
    if (!host.create().empty()) return;
    const std::string sentence = host.prepare(wanted);
    if (sentence.empty()) {
      ++played_formats;
      host.play({.frames = 4000});
    }
    for (const std::string& violation : host.violations()) {
      const sluice_format format = host.input_format();
      subject.fail(fmt::format("with {} channels of sample format {} at {} Hz: {}", format.channels,
                               format.sample_format, format.rate_hz, violation));
    }
  };
  for (const uint32_t channels : {1U, 2U, 3U, 6U, 8U, SLUICE_MAX_CHANNELS}) {
    play(SLUICE_SAMPLE_F32, channels, 48'000);
  }
  for (const uint32_t rate_hz : {8000U, 44'100U, 96'000U, 192'000U}) {
    play(SLUICE_SAMPLE_F32, 2, rate_hz);
  }
  for (const uint32_t sample_format : {SLUICE_SAMPLE_S16, SLUICE_SAMPLE_S24, SLUICE_SAMPLE_S32}) {
    play(sample_format, 2, 48'000);
  }
  subject.note(fmt::format("{} formats were played.", played_formats));
}

void check_finite(Subject& subject) {
  if (!subject.type()) return;
  const std::pair<Signal, const char*> signals[] = {{Signal::kNoise, "noise"},
                                                    {Signal::kSquare, "a full square wave"},
                                                    {Signal::kDenormals, "a signal of denormals"},
                                                    {Signal::kImpulse, "an impulse"}};
  for (const auto& [signal, name] : signals) {
    expect_finite(subject, fresh(subject, {.signal = signal}), name);
  }
}

void check_silence(Subject& subject) {
  if (!subject.type()) return;
  const std::vector<float> output = fresh(subject, {.frames = 48'000, .signal = Signal::kSilence});
  expect_finite(subject, output, "silence");
  const double highest = peak(output);
  // Dither of 16 bits stays below.
  if (highest > 1e-4) {
    subject.fail(
        fmt::format("silence comes out with a peak of {:.1f} dB.", 20 * std::log10(highest)));
  }
}

void check_recovery(Subject& subject) {
  if (!subject.type()) return;
  NodeHost host(subject.data(), subject.values());
  if (!subject.make(host)) return;
  played(subject, host, {.signal = Signal::kNan, .is_ended = false});
  host.reset();
  expect_finite(subject, played(subject, host, {.frames = 48'000}), "what follows NaN and reset");
}

void check_marks(Subject& subject) {
  if (!subject.type()) return;
  const sluice_type& type = subject.data();
  const auto is_pcm = [](const sluice_port& port) { return port.kind == SLUICE_PCM; };
  const auto ports = subject.type()->ports();
  const bool has_both =
      std::ranges::any_of(ports,
                          [&](const sluice_port& port) {
                            return is_pcm(port) && port.direction == SLUICE_OUTPUT;
                          }) &&
      std::ranges::any_of(ports, [&](const sluice_port& port) {
        return is_pcm(port) && port.direction == SLUICE_INPUT;
      });
  if (!has_both) return subject.skip("It has no PCM input and output.");
  if (type.flags & SLUICE_TYPE_EQUAL_COUNTS) {
    // The host passes them on; the node must not do so too.
    NodeHost host(type, subject.values());
    if (!subject.make(host)) return;
    host.put_mark(1000, SLUICE_MARK_GAP);
    played(subject, host, {});
    if (!host.marks().empty()) {
      subject.fail("it puts marks that the host passes on already, by SLUICE_TYPE_EQUAL_COUNTS.");
    }
    return;
  }
  NodeHost host(type, subject.values());
  if (!subject.make(host)) return;
  const uint32_t kinds[] = {SLUICE_MARK_GAP, SLUICE_MARK_DISCONTINUITY, SLUICE_MARK_SILENCE_BEGINS,
                            SLUICE_MARK_SILENCE_ENDS};
  uint64_t position = 1000;
  for (const uint32_t kind : kinds) host.put_mark(position += 500, kind);
  played(subject, host, {});
  for (const uint32_t kind : {SLUICE_MARK_GAP, SLUICE_MARK_DISCONTINUITY}) {
    if (std::ranges::none_of(host.marks(), [&](const sluice_mark& m) { return m.kind == kind; })) {
      subject.fail(fmt::format("a {} mark at its input does not come out.",
                               kind == SLUICE_MARK_GAP ? "gap" : "discontinuity"));
    }
  }
}

void check_end(Subject& subject) {
  if (!subject.type()) return;
  NodeHost host(subject.data(), subject.values());
  if (!subject.make(host)) return;
  if (!host.play({.frames = 5000})) {
    subject.take(host);
    if (!subject.has_failed()) subject.fail("process fails before the end of its input.");
    return;
  }
  if ((subject.data().flags & SLUICE_TYPE_EQUAL_COUNTS) == 0) return;
  const uint64_t most = 5000 + host.latency_frames();
  if (host.produced() < 5000 || host.produced() > most) {
    subject.fail(
        fmt::format("of 5000 frames {} come out; SLUICE_TYPE_EQUAL_COUNTS promises no "
                    "fewer, and no more than its latency beyond, {}.",
                    host.produced(), most));
  }
}

void check_reset(Subject& subject) {
  if (!subject.type()) return;
  NodeHost host(subject.data(), subject.values());
  if (!subject.make(host)) return;
  const auto* passive = static_cast<const sluice_passive*>(host.interface(SLUICE_PASSIVE));
  if (!passive->reset) return subject.skip("It has no reset.");
  played(subject, host, {.frames = 20'000, .is_ended = false});
  host.reset();
  const std::vector<float> after =
      played(subject, host, {.signal = Signal::kSilence, .is_ended = false});
  const double highest = peak(after);
  if (highest > 1e-4) {
    subject.fail(
        fmt::format("after reset silence comes out with a peak of {:.1f} dB: something of "
                    "before is left.",
                    20 * std::log10(highest)));
  }
}

void check_again(Subject& subject) {
  if (!subject.type()) return;
  const std::vector<float> first = fresh(subject, {});
  NodeHost host(subject.data(), subject.values());
  if (!subject.make(host)) return;
  played(subject, host, {.frames = 3000, .is_ended = false});
  NodeHost other(subject.data(), subject.values());
  if (!subject.make(other)) return;
  // One after the other, and each call of one between two of the other.
  const std::vector<float> second =
      played(subject, other, {.before_call = [&](uint64_t) {
               host.play({.frames = 480, .signal = Signal::kSquare, .is_ended = false});
             }});
  if (difference(first, second) > 0 || first.size() != second.size()) {
    subject.fail("a node sounds different while another one of its type is at work.");
  }
  host.prepare();
  const std::vector<float> third = played(subject, host, {});
  if (difference(first, third) > 1e-5) {
    subject.fail("a node that is released and prepared again remembers what it heard before.");
  }
}

void check_ports(Subject& subject) {
  if (!subject.type()) return;
  const auto is_optional = [](const sluice_port& port) {
    return (port.flags & SLUICE_PORT_OPTIONAL) != 0;
  };
  if (std::ranges::none_of(subject.type()->ports(), is_optional)) {
    return subject.skip("It has no optional ports.");
  }
  NodeHost host(subject.data(), subject.values());
  if (!subject.make(host, NodeHost::kStereo, 4096, false)) return;
  played(subject, host, {});
}

void check_calls(Subject& subject) {
  if (!subject.type()) return;
  if (!has_rt_guard()) return subject.skip("Not in a build with sanitizers.");
  NodeHost host(subject.data(), subject.values());
  if (!subject.make(host)) return;
  const RtGuardRecorder recorder;
  for (uint32_t i = 0; i < subject.data().parameter_count; ++i) {
    const sluice_parameter& parameter = subject.data().parameters[i];
    if (parameter.flags & SLUICE_PARAMETER_LIVE) host.change_live(i, parameter.maximum);
  }
  host.put_mark(1000, SLUICE_MARK_GAP);
  host.play({.frames = 20'000, .seed = subject.seed()});
  host.reset();
  std::map<std::string, int> calls;
  for (const std::string& function : recorder.functions()) ++calls[function];
  for (const auto& [function, count] : calls) {
    subject.fail(fmt::format("it calls {} in process or reset ({} times in 20000 frames).",
                             function, count));
  }
}

void check_keeps_up(Subject& subject) {
  if (!subject.type()) return;
  NodeHost host(subject.data(), subject.values());
  if (!subject.make(host, NodeHost::kStereo, 480)) return;
  played(subject, host, {.frames = 48'000, .block_frames = 480, .is_ended = false});
  if (host.blocks() == 0) return;
  const uint64_t mean_ns = host.block_total_ns() / host.blocks();
  const uint32_t rate_hz = host.input_format().rate_hz;
  const uint64_t block_ns = rate_hz != 0 ? 480'000'000'000ULL / rate_hz : 10'000'000;
  subject.note(fmt::format("A block of 480 frames takes {} ns of processor time, at worst {} ns.",
                           mean_ns, host.block_largest_ns()));
  if (mean_ns > block_ns / 2) {
    subject.fail(fmt::format("a block of 480 frames takes {} us of processor time; it lasts {} us.",
                             mean_ns / 1000, block_ns / 1000));
  }
}

void check_float_mode(Subject& subject) {
  if (!subject.type()) return;
  support::set_flush_to_zero(true);
  NodeHost host(subject.data(), subject.values());
  if (!subject.make(host)) return;
  const int rounding = std::fegetround();
  host.play({});
  if (!support::is_flush_to_zero() || std::fegetround() != rounding) {
    subject.fail("process leaves the floating point unit in another mode.");
  }
}

constexpr Check kProcessChecks[] = {
    {"process.blocks", 1, About::kPassive, "blocks of 1 to 4096 frames: counts, bounds, progress",
     "The host cuts audio as it likes. Count frames, not samples, and never take or make more than "
     "was offered.",
     check_blocks},
    {"process.end", 1, About::kPassive, "the end of the input comes out",
     "A file would never be closed. Answer SLUICE_STATUS_DRAINED when nothing is left.", check_end},
    {"process.finite", 1, About::kPassive, "no NaN and no infinity comes out",
     "One of them silences every filter with a memory behind it. Guard divisions and logarithms.",
     check_finite},
    {"realtime.calls", 1, About::kPassive, "no allocation, lock, file or wait in process",
     "Each of them can take longer than a block lasts, which is heard. Do it in prepare.",
     check_calls},
    {"process.random_blocks", 2, About::kPassive,
     "blocks and rooms of random size, none among them",
     "Rooms fill up in the middle of a block. Go on where you were.", check_random_blocks},
    {"process.end_of_memory", 2, About::kPassive, "nothing is touched behind a span",
     "There lies what another node is writing. Look at the last frames of vector loops.",
     check_end_of_memory},
    {"process.same_for_all_blocks", 2, About::kPassive, "the sound does not depend on block sizes",
     "A graph would sound different on another machine. Keep state per frame, not per call.",
     check_splits},
    {"process.formats", 2, About::kPassive,
     "every format it offers works, or fails with a sentence",
     "What a port offers is what a graph may choose.", check_formats},
    {"process.silence", 2, About::kPassive, "silence in, silence out",
     "Noise of a filter's own keeps sinks from sleeping. Initialise what you remember.",
     check_silence},
    {"process.marks", 2, About::kPassive, "marks reach the output",
     "Behind it nobody would know of a gap. Forward sluice_input.marks, or derive from Filter.",
     check_marks},
    {"process.reset", 2, About::kPassive, "reset forgets what was heard",
     "A stream that begins anew would begin with the end of the last one.", check_reset},
    {"process.nodes_apart", 2, About::kPassive, "nodes share no state",
     "A graph has many of one type. Keep state in the node and none in globals.", check_again},
    {"process.optional_ports", 2, About::kPassive, "optional ports may stay unconnected",
     "Look at is_connected in prepare; such an input offers no frames.", check_ports},
    {"realtime.keeps_up", 2, About::kPassive, "half of a block's time is enough for a block",
     "Others have to run in the same time.", check_keeps_up},
    {"realtime.float_mode", 2, About::kPassive, "the floating point mode stays as it is",
     "Denormals would make every node behind it slow. Put back what you change.", check_float_mode},
    {"process.recovers", 3, About::kPassive, "after NaN and a reset the output is finite again",
     "Otherwise one bad frame of somebody else's silences it until the graph ends.",
     check_recovery},
};

}  // namespace

std::span<const Check> process_checks() { return kProcessChecks; }

}  // namespace sluice::validate
