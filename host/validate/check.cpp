#include "host/validate/check.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <system_error>
#include <utility>

#include "host/loader/type_family.hpp"
#include "host/validate/samples.hpp"

namespace sluice::validate {
namespace {

namespace fs = std::filesystem;

size_t entries(const char* folder) {
  std::error_code error;
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder, error), {}));
}

// A second of a quiet sine, s16 stereo at 48 kHz.
void write_wav(const fs::path& path) {
  std::vector<float> values;
  for (int i = 0; i < 48'000; ++i) {
    values.insert(values.end(), 2, static_cast<float>(0.1 * std::sin(i * 0.05)));
  }
  std::vector<std::byte> samples;
  append_samples(samples, values, SLUICE_SAMPLE_S16);
  std::string head = "RIFF";
  const auto put = [&](uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) head += static_cast<char>(value >> (8 * i) & 0xFFU);
  };
  const auto bytes = static_cast<uint32_t>(samples.size());
  put(36 + bytes, 4), head += "WAVEfmt ", put(16, 4), put(1, 2), put(2, 2), put(48'000, 4);
  put(192'000, 4), put(4, 2), put(16, 2), head += "data", put(bytes, 4);
  std::ofstream file(path, std::ios::binary);
  file << head;
  file.write(reinterpret_cast<const char*>(samples.data()),
             static_cast<std::streamsize>(samples.size()));
}

// Sets `value` to what stands on the command line; false if that cannot be.
bool read_value(const sluice_parameter& parameter, const std::string& text, Value& value) {
  if (parameter.kind == SLUICE_TEXT) {
    value.text = text;
    return true;
  }
  if (parameter.kind == SLUICE_BOOLEAN && (text == "true" || text == "false")) {
    value.number = text == "true" ? 1 : 0;
    return true;
  }
  for (uint32_t i = 0; parameter.kind == SLUICE_CHOICE && i < parameter.choice_count; ++i) {
    if (text != parameter.choices[i]) continue;
    value.number = i;
    value.text = text;
    return true;
  }
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size() &&
                         number >= parameter.minimum && number <= parameter.maximum;
  if (!is_number || parameter.kind == SLUICE_CHOICE) return false;
  if (parameter.kind == SLUICE_LIST || parameter.kind == SLUICE_MATRIX) {
    value.list = {number};
    value.rows = parameter.kind == SLUICE_MATRIX ? 1 : 0;
  } else {
    value.number = number;
  }
  return true;
}

}  // namespace

Subject::Subject(fs::path file, std::string type_id, fs::path folder, std::vector<Setting> settings,
                 uint64_t seed, Report& report)
    : file_(std::move(file)),
      type_id_(std::move(type_id)),
      folder_(std::move(folder)),
      settings_(std::move(settings)),
      seed_(seed),
      report_(report) {}

const loader::Library* Subject::load() {
  if (library_) return library_;
  doing("the loading of the library");
  const auto loaded = loader::Library::load(file_);
  if (!loaded) {
    skip("It cannot be loaded.");
    return nullptr;
  }
  return library_ = *loaded;
}

const loader::Type* Subject::type() {
  if (type_) return type_;
  if (!load()) return nullptr;
  // Of a member the part in front of the slash is its family's.
  const std::string family = type_id_.substr(0, type_id_.find('/'));
  for (const loader::Type* each : library_->types()) {
    if (each->id() != family) continue;
    if (family == type_id_) return type_ = each;
    doing("the making of a type");
    const auto member = loader::find_member(*each, type_id_);
    if (member) return type_ = *member;
    skip(member.error().message);
    return nullptr;
  }
  skip("Its description has defects.");
  return nullptr;
}

std::vector<Value> Subject::values() {
  std::vector<Value> all = default_values(data());
  for (uint32_t i = 0; i < data().parameter_count; ++i) {
    const sluice_parameter& parameter = data().parameters[i];
    const std::string_view key = parameter.key;
    const bool is_required = (parameter.flags & SLUICE_PARAMETER_REQUIRED) != 0;
    if (parameter.kind == SLUICE_TEXT && is_required) {
      all[i].text = "localhost";
      if ((parameter.flags & SLUICE_PARAMETER_INPUT_PATH) != 0) {
        const fs::path path = folder_ / "input.wav";
        if (!fs::exists(path)) write_wav(path);
        all[i].text = path;
      } else if ((parameter.flags & SLUICE_PARAMETER_OUTPUT_PATH) != 0) {
        all[i].text = folder_ / fmt::format("output{}.wav", i);
      }
    }
    for (const Setting& setting : settings_) {
      if (setting.key == key && !read_value(parameter, setting.value, all[i])) {
        skip(fmt::format("{} cannot be '{}'.", setting.key, setting.value));
      }
    }
  }
  return all;
}

void Subject::fail(std::string sentence) {
  if (!sentence.empty()) {
    sentence[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(sentence[0])));
  }
  if (std::ranges::find(report_.failures, sentence) == report_.failures.end()) {
    report_.failures.push_back(std::move(sentence));
  }
}

bool Subject::make(NodeHost& host, const sluice_format& wanted, uint32_t block_frames,
                   bool with_optional) {
  std::string sentence = host.create();
  if (!sentence.empty()) {
    skip("No node can be made: " + sentence);
    return false;
  }
  sentence = host.prepare(wanted, block_frames, with_optional);
  if (!sentence.empty()) {
    skip("It cannot be prepared with these parameters (see --set): " + sentence);
    return false;
  }
  return true;
}

void Subject::take(const NodeHost& host) {
  for (const std::string& sentence : host.violations()) fail(sentence);
}

std::vector<float> played(Subject& subject, NodeHost& host, const Cut& cut) {
  host.clear_output();
  host.play(cut);
  subject.take(host);
  return host.output();
}

Belongings belongings() {
  const struct mallinfo2 heap = mallinfo2();
  return {entries("/proc/self/task"), entries("/proc/self/fd"), heap.uordblks + heap.hblkhd};
}

std::vector<const Check*> all_checks() {
  std::vector<const Check*> all;
  for (const auto checks :
       {library_checks(), life_checks(), process_checks(), parameter_checks(), run_checks()}) {
    for (const Check& check : checks) all.push_back(&check);
  }
  return all;
}

bool applies_to(const Check& check, uint32_t execution) {
  switch (check.about) {
    case About::kPassive:
      return execution == SLUICE_EXECUTION_PASSIVE;
    case About::kThreaded:
      return execution == SLUICE_EXECUTION_THREADED;
    case About::kDevice:
      return execution == SLUICE_EXECUTION_DEVICE;
    default:
      return true;
  }
}

}  // namespace sluice::validate
