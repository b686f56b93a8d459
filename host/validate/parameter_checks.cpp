// Parameters at their limits, changed while audio runs, and at random.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "host/validate/check.hpp"

namespace sluice::validate {
namespace {

constexpr uint64_t kChangeAt = 9600, kRampFrames = 24'000;

// Runs a node with these values for a while; what goes wrong is said with `what` in front.
void try_values(Subject& subject, const std::vector<Value>& values, const std::string& what,
                uint64_t seed) {
  NodeHost host(subject.data(), values, seed);
  if (host.create().empty() && host.prepare().empty()) {
    if (subject.data().execution == SLUICE_EXECUTION_PASSIVE) {
      host.play({.frames = 4000, .seed = seed});
      for (const float sample : host.output()) {
        if (std::isfinite(sample)) continue;
        host.violate("noise comes out as NaN or infinity.");
        break;
      }
    } else if (subject.data().execution == SLUICE_EXECUTION_THREADED) {
      host.run({.frames = 4000, .stop_ns = 500'000'000, .stop_frames = 8000, .stop_waits = 500});
    }
  }
  host.destroy();
  for (const std::string& sentence : host.violations()) {
    subject.fail(fmt::format("with {}: {}", what, sentence));
  }
}

bool is_number(const sluice_parameter& parameter) {
  return parameter.kind == SLUICE_NUMBER || parameter.kind == SLUICE_INTEGER ||
         parameter.kind == SLUICE_BOOLEAN || parameter.kind == SLUICE_CHOICE;
}

void set(const sluice_parameter& parameter, Value& value, double number) {
  value.number = number;
  if (parameter.kind == SLUICE_CHOICE) value.text = choice_text(parameter, number);
}

// A place to read or write is for the author to choose; others are tried as they come.
bool is_path(const sluice_parameter& parameter) {
  return (parameter.flags & (SLUICE_PARAMETER_INPUT_PATH | SLUICE_PARAMETER_OUTPUT_PATH)) != 0;
}

void check_limits(Subject& subject) {
  if (!subject.type()) return;
  const std::vector<Value> defaults = subject.values();
  for (uint32_t i = 0; i < subject.data().parameter_count; ++i) {
    const sluice_parameter& parameter = subject.data().parameters[i];
    std::vector<Value> values = defaults;
    if (is_number(parameter)) {
      const double last =
          parameter.kind == SLUICE_CHOICE ? parameter.choice_count - 1.0 : parameter.maximum;
      const double first = parameter.kind == SLUICE_CHOICE ? 0.0 : parameter.minimum;
      const double step = parameter.kind == SLUICE_CHOICE ? 1.0 : std::max(last - first, 1.0);
      for (double number = first; number <= last; number += step) {
        set(parameter, values[i], number);
        doing(fmt::format("{} = {}", parameter.key, number));
        try_values(subject, values, fmt::format("{} = {}", parameter.key, number), subject.seed());
      }
    } else if (parameter.kind == SLUICE_TEXT && !is_path(parameter)) {
      for (const std::string& text :
           {std::string(), std::string(4000, 'x'), std::string("\x01 {}")}) {
        values[i].text = text;
        try_values(subject, values,
                   fmt::format("a text of {} bytes in {}", text.size(), parameter.key),
                   subject.seed());
      }
    } else if (parameter.kind == SLUICE_LIST || parameter.kind == SLUICE_MATRIX) {
      values[i].list.assign(6, parameter.maximum);
      values[i].rows = parameter.kind == SLUICE_MATRIX ? 3 : 0;
      try_values(subject, values,
                 fmt::format("six times {} in {}", parameter.maximum, parameter.key),
                 subject.seed());
    }
  }
}

// The largest difference of neighbouring frames in a part of a stream.
double largest_step(const std::vector<float>& samples, uint32_t channels, size_t from, size_t to) {
  double largest = 0;
  for (size_t i = std::max<size_t>(from, 1) * channels; i < to * channels && i < samples.size();
       ++i) {
    largest = std::max<double>(largest, std::fabs(samples[i] - samples[i - channels]));
  }
  return largest;
}

// What a constant becomes while parameter `index` goes from `first` to `last` at kChangeAt.
std::vector<float> changed(Subject& subject, uint32_t index, double first, double last) {
  std::vector<Value> values = subject.values();
  set(subject.data().parameters[index], values[index], first);
  NodeHost host(subject.data(), values);
  // A value that does not go with the others is no place to begin.
  if (!host.create().empty() || !host.prepare().empty()) return {};
  bool is_changed = first == last;
  const auto change = [&](uint64_t at) {
    if (is_changed || at < kChangeAt) return;
    is_changed = true;
    host.change_live(index, last);
  };
  return played(subject, host,
                {.frames = kRampFrames, .signal = Signal::kConstant, .before_call = change});
}

// From one limit to the other while a constant is played: whatever changes has to change slowly.
// Steps that come anyway, as of an echo that sets in, are those of both values without a change.
void check_ramp(Subject& subject) {
  if (!subject.type()) return;
  // A ramp of 30 ms moves by 0.11 % in its steepest frame at 48 kHz; one of 1 ms by 3.3 %.
  constexpr double kMostOfChange = 0.05;
  constexpr uint32_t kChannels = NodeHost::kStereo.channels;
  constexpr size_t kFrom = kChangeAt - 480, kTo = kRampFrames - 960;
  int tried = 0;
  for (uint32_t i = 0; i < subject.data().parameter_count; ++i) {
    const sluice_parameter& parameter = subject.data().parameters[i];
    if (!(parameter.flags & SLUICE_PARAMETER_LIVE) || !is_number(parameter)) continue;
    const double last =
        parameter.kind == SLUICE_CHOICE ? parameter.choice_count - 1.0 : parameter.maximum;
    const double first = parameter.kind == SLUICE_CHOICE ? 0.0 : parameter.minimum;
    doing(fmt::format("a change of {}", parameter.key));
    const std::vector<float> output = changed(subject, i, first, last);
    if (output.size() < kRampFrames * kChannels * 9 / 10) continue;
    ++tried;
    const double change =
        std::fabs(double{output[kFrom * kChannels]} - double{output[kTo * kChannels]});
    if (change < 1e-3) continue;
    double anyway = 0;
    for (const double still : {first, last}) {
      anyway =
          std::max(anyway, largest_step(changed(subject, i, still, still), kChannels, kFrom, kTo));
    }
    const double step = largest_step(output, kChannels, kFrom, kTo);
    if (step > anyway + kMostOfChange * change) {
      subject.fail(
          fmt::format("a change of {} from {} to {} is heard as a click: {:.0f} % of it "
                      "happens within one frame.",
                      parameter.key, first, last, 100 * step / change));
    }
  }
  if (tried == 0) subject.skip("It has no live parameters that can be heard in a constant.");
}

std::vector<Value> random_values(Subject& subject, std::mt19937_64& random) {
  std::vector<Value> values = subject.values();
  const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  for (uint32_t i = 0; i < subject.data().parameter_count; ++i) {
    const sluice_parameter& parameter = subject.data().parameters[i];
    if (is_number(parameter)) {
      const double last =
          parameter.kind == SLUICE_CHOICE ? parameter.choice_count - 1.0 : parameter.maximum;
      const double first = parameter.kind == SLUICE_CHOICE ? 0.0 : parameter.minimum;
      // The limits, small numbers and anything between them.
      const double picks[] = {first, last, first + (last - first) * unit(),
                              first + (last - first) * std::pow(unit(), 8)};
      double number = picks[random() % 4];
      if (parameter.kind != SLUICE_NUMBER) number = std::floor(number);
      set(parameter, values[i], number);
    } else if (parameter.kind == SLUICE_LIST || parameter.kind == SLUICE_MATRIX) {
      const uint64_t rows = 1 + random() % 4, columns = random() % 4;
      values[i].list.resize(rows * columns);
      for (double& number : values[i].list) {
        number = parameter.minimum + (parameter.maximum - parameter.minimum) * unit();
      }
      const bool is_matrix = parameter.kind == SLUICE_MATRIX && columns != 0;
      values[i].rows = is_matrix ? static_cast<uint32_t>(rows) : 0;
    } else if (parameter.kind == SLUICE_TEXT && !is_path(parameter)) {
      values[i].text.resize(random() % 40);
      for (char& c : values[i].text) c = static_cast<char>(1 + random() % 127);
    }
  }
  return values;
}

void check_random(Subject& subject) {
  if (!subject.type()) return;
  for (uint64_t round = 0; round < 60 && !subject.has_failed(); ++round) {
    // Each round can be had again by its own number: --seed N --fuzz.
    std::mt19937_64 random(subject.seed() + round);
    const std::vector<Value> values = random_values(subject, random);
    std::string what =
        fmt::format("random parameters (round {} of --seed {}):", round, subject.seed());
    for (uint32_t i = 0; i < subject.data().parameter_count; ++i) {
      const sluice_parameter& parameter = subject.data().parameters[i];
      if (is_number(parameter)) what += fmt::format(" {}={}", parameter.key, values[i].number);
    }
    doing(what);
    try_values(subject, values, what, subject.seed() + round);
  }
}

constexpr Check kParameterChecks[] = {
    {"parameters.limits", 2, About::kType, "each parameter at its limits, each choice",
     "The host allows what the descriptor allows. Narrow the range, or fail in prepare with a "
     "sentence.",
     check_limits},
    {"parameters.ramp", 2, About::kPassive, "live parameters change without a click",
     "A step in the sound is a click. Move there by sluice::Ramp.", check_ramp},
    {"parameters.random", 3, About::kType, "parameters at random, many times (also by --fuzz)",
     "Combinations are where ranges end. The sentence names them.", check_random},
};

}  // namespace

std::span<const Check> parameter_checks() { return kParameterChecks; }

}  // namespace sluice::validate
