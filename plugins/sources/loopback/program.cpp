#include "plugins/sources/loopback/program.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace loopback {
namespace {

std::string folder_of(pid_t id) { return "/proc/" + std::to_string(id); }

// As proc(5) has it: behind the name, which may hold anything, the state and the parent.
pid_t parent_of(pid_t id) {
  std::ifstream file(folder_of(id) + "/stat");
  std::string text;
  std::getline(file, text, '\0');
  const size_t name_end = text.rfind(')');
  pid_t parent = 0;
  if (name_end != std::string::npos && name_end + 4 < text.size()) {
    std::from_chars(text.data() + name_end + 4, text.data() + text.size(), parent);
  }
  return parent;
}

std::filesystem::path executable_of(pid_t id) {
  std::error_code error;
  return std::filesystem::read_symlink(folder_of(id) + "/exe", error);
}

}  // namespace

pid_t host_of(pid_t id) {
  const std::filesystem::path own = executable_of(id);
  const pid_t parent = parent_of(id);
  return !own.empty() && parent > 0 && executable_of(parent) == own ? parent : id;
}

}  // namespace loopback
