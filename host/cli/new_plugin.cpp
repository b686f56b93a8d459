// sluice new-plugin: a complete repository to start a plugin from.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <boost/program_options/value_semantic.hpp>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "host/cli/embedded_file.hpp"
#include "host/cli/graph_options.hpp"
#include "host/loader/descriptor.hpp"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr std::array<std::string_view, 3> kKinds = {"source", "filter", "sink"};
constexpr uint32_t kExampleRateHz = 48'000;
constexpr uint32_t kGoldenFrames = 480;
constexpr uint32_t kFramesPerMs = kExampleRateHz / 1000;

// "my-echo" with each word's first letter (or only the very first) large, joined by `between`.
std::string in_words(std::string_view name, std::string_view between, bool all_large) {
  std::string text;
  bool is_first = true;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '-' || name[i] == '_') {
      text += between;
      is_first = all_large;
    } else {
      const auto letter = static_cast<unsigned char>(name[i]);
      text += static_cast<char>(is_first ? std::toupper(letter) : letter);
      is_first = false;
    }
  }
  return text;
}

void put(std::string& bytes, uint32_t value, int count) {
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFFU);
}

// A WAV file: PCM of 16 bits, or IEEE float of 32 (RFC 2361).
std::string wav(uint32_t channels, bool is_float, std::string_view samples) {
  const uint32_t sample_bytes = is_float ? 4 : 2;
  const auto data_bytes = static_cast<uint32_t>(samples.size());
  std::string file = "RIFF";
  put(file, 36 + data_bytes, 4);
  file += "WAVEfmt ";
  put(file, 16, 4);
  put(file, is_float ? 3 : 1, 2);
  put(file, channels, 2);
  put(file, kExampleRateHz, 4);
  put(file, kExampleRateHz * channels * sample_bytes, 4);
  put(file, channels * sample_bytes, 2);
  put(file, 8 * sample_bytes, 2);
  file += "data";
  put(file, data_bytes, 4);
  file += samples;
  return file;
}

void put_float(std::string& bytes, float value) { put(bytes, std::bit_cast<uint32_t>(value), 4); }

// What the tests of a template are fed and must give; powers of two, which no compiler rounds.
std::map<std::string, std::string> golden_files(std::string_view kind) {
  std::string input, golden;
  if (kind == "filter") {
    float echo = 0.5F;
    for (uint32_t frame = 0; frame < kGoldenFrames; ++frame) {
      const bool has_echo = frame % kFramesPerMs == 0;
      put_float(input, frame == 0 ? echo : 0.0F);
      put_float(golden, has_echo ? echo : 0.0F);
      if (has_echo) echo /= 2;
    }
    return {{"tests/input.wav", wav(1, true, input)}, {"tests/golden.wav", wav(1, true, golden)}};
  }
  if (kind == "source") {
    for (uint32_t frame = 0; frame < kGoldenFrames; ++frame) {
      for (int channel = 0; channel < 2; ++channel) {
        put_float(golden, frame % kFramesPerMs == 0 ? 0.5F : 0.0F);
      }
    }
    return {{"tests/golden.wav", wav(2, true, golden)}};
  }
  for (uint32_t frame = 0; frame < kGoldenFrames; ++frame) put(golden, frame * 137, 2);
  return {{"tests/input.wav", wav(1, false, golden)}, {"tests/golden.raw", golden}};
}

std::string replaced(std::string_view text, const std::map<std::string, std::string>& words) {
  std::string result(text);
  for (const auto& [word, value] : words) {
    for (size_t at = 0; (at = result.find(word, at)) != std::string::npos; at += value.size()) {
      result.replace(at, word.size(), value);
    }
  }
  return result;
}

// Where a file of the template goes.
std::string target_of(std::string_view path, const std::string& name) {
  if (path == "plugin.cpp.in") return name + ".cpp";
  if (path == "graphs/graph.json") return "graphs/" + name + ".json";
  if (path == "gitignore") return ".gitignore";
  if (path == "workflow.yml") return ".github/workflows/build.yml";
  return std::string(path);
}

bool write_file(const fs::path& path, const std::string& content) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream file(path, std::ios::binary);
  file << content;
  return static_cast<bool>(file.flush());
}

std::string wrong_name(const std::string& name) {
  // It becomes a part of an id, a target of CMake and a word in a class.
  const bool is_sound = !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
                        name.back() != '-' && name.find("--") == std::string::npos &&
                        std::ranges::all_of(name, [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                        });
  if (is_sound) return {};
  return fmt::format(
      "'{}' cannot be a plugin's name: use small letters, digits and single hyphens, such as "
      "my-echo.",
      name);
}

}  // namespace

int run_new_plugin(const Arguments& arguments) {
  std::string kind, name, domain, vendor, folder;
  po::options_description options("Options");
  po::positional_options_description positional;
  options.add_options()("kind", po::value(&kind)->value_name("KIND"), "source, filter or sink");
  options.add_options()("name", po::value(&name)->value_name("NAME"),
                        "of the plugin: small letters, digits and hyphens");
  options.add_options()("domain",
                        po::value(&domain)->value_name("DOMAIN")->default_value("com.example"),
                        "a domain of yours, backwards; the id is DOMAIN.KIND.NAME");
  options.add_options()("vendor", po::value(&vendor)->value_name("TEXT")->default_value("Example"),
                        "who makes it");
  options.add_options()("output,o", po::value(&folder)->value_name("FOLDER"),
                        "write here instead of into NAME; must not be there yet");
  positional.add("kind", 1);
  positional.add("name", 1);
  int exit_code = kSuccess;
  if (!parse(arguments, "sluice new-plugin source|filter|sink NAME [options]",
             "Writes a complete repository to start a plugin from: source, CMake, a test that "
             "compares its audio, a graph, a README and a CI file. It builds as it is, against an "
             "installed Sluice.",
             options, positional, exit_code)) {
    return exit_code;
  }
  const auto refuse = [](int code, const std::string& sentence) {
    std::fprintf(stderr, "sluice: %s\n", sentence.c_str());
    return code;
  };
  if (kind.empty() || name.empty()) {
    return refuse(kUsage, "say what to make: sluice new-plugin filter my-echo.");
  }
  if (std::ranges::find(kKinds, kind) == kKinds.end()) {
    return refuse(kUsage, fmt::format("there are no plugins of kind '{}'; choose source, filter "
                                      "or sink.",
                                      kind));
  }
  if (const std::string wrong = wrong_name(name); !wrong.empty()) return refuse(kUsage, wrong);
  const std::string id = fmt::format("{}.{}.{}", domain, kind, name);
  if (!loader::is_type_id(id)) {
    return refuse(kUsage, fmt::format("'{}' cannot be an id; give --domain like com.example.", id));
  }
  if (vendor.find_first_of("\"\\\n") != std::string::npos) {
    return refuse(kUsage, "the vendor may hold neither quotes nor backslashes.");
  }
  const fs::path target = folder.empty() ? name : folder;
  std::error_code error;
  if (fs::exists(target, error)) {
    return refuse(kFailure, fmt::format("{} is there already; choose another name, or another "
                                        "folder with -o.",
                                        target.string()));
  }

  const std::map<std::string, std::string> words = {
      {"@NAME@", name},
      {"@KIND@", kind},
      {"@ID@", id},
      {"@CLASS@", in_words(name, "", true)},
      {"@TITLE@", in_words(name, " ", false)},
      {"@VENDOR@", vendor},
      {"@GOLDEN_FRAMES@", std::to_string(kGoldenFrames)}};
  std::map<std::string, std::string> files = golden_files(kind);
  for (const EmbeddedFile& file : kPluginTemplate) {
    const size_t slash = file.path.find('/');
    const std::string_view part = file.path.substr(0, slash);
    if (part != "common" && part != kind) continue;
    files[target_of(file.path.substr(slash + 1), name)] = replaced(file.content, words);
  }
  for (const auto& [path, content] : files) {
    if (!write_file(target / path, content)) {
      return refuse(kFailure, fmt::format("cannot write {}; is the disk full, or the folder not "
                                          "yours?",
                                          (target / path).string()));
    }
  }
  std::printf(
      "%s is a %s of type %s. Next:\n"
      "  cd %s && cmake -B build && cmake --build build\n"
      "  ctest --test-dir build\n"
      "  sluice run graphs/%s.json --plugin-dir build\n",
      target.c_str(), kind.c_str(), id.c_str(), target.c_str(), name.c_str());
  return kSuccess;
}

}  // namespace sluice::cli
