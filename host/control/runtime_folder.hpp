// Where running graphs are found: one socket each, NAME.sock, in a folder of the user's own.
// [control]
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/support/result.hpp"

namespace sluice::control {

// $XDG_RUNTIME_DIR/sluice; without that /run/sluice for root and /tmp/sluice-UID for others.
std::filesystem::path runtime_folder();

// Makes it if need be. Error (kPermission): somebody else owns it, or others may look inside.
support::Result<std::filesystem::path> make_runtime_folder();

std::filesystem::path socket_path(const std::string& graph);

// Names of the graphs whose sockets answer, sorted.
std::vector<std::string> running_graphs();

// The right to run the graph of one name. Held while it lives; freed by the system if the process
// dies.
class NameLock {
 public:
  // Error (kState): another process runs a graph of that name.
  static support::Result<NameLock> take(const std::string& graph);
  NameLock(NameLock&& other) noexcept;
  NameLock& operator=(NameLock&&) = delete;
  ~NameLock();

 private:
  explicit NameLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace sluice::control
