// Looks into a plugin from a process of its own: code of it that crashes or never returns while it
// is loaded ends that process, not this one. [control]
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace sluice::loader {

struct Probed {
  std::string content;                 // its types, as encode_types gives them; empty if none
  std::vector<std::string> sentences;  // what is wrong with it; each names the file
};

// Has `prober`, a program that calls answer_probe(FILE) when its arguments are "probe-plugin FILE",
// load `file`. A process that dies, or says nothing for `patience`, is a sentence.
Probed probe(const std::filesystem::path& prober, const std::filesystem::path& file,
             std::chrono::milliseconds patience);

// The other end: loads `file`, writes what it found to the standard output, which the plugin itself
// cannot reach, and ends the process without running destructors.
[[noreturn]] void answer_probe(const std::filesystem::path& file);

}  // namespace sluice::loader
