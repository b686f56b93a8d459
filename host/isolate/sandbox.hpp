// What an isolated plugin may do to the machine: what its node declares, no more. docs/isolation.md
// tells people the rule.
#pragma once

#include <string>
#include <vector>

namespace sluice::isolate {

struct Permissions {
  // Its type declares that it opens devices (SLUICE_TYPE_OPENS_DEVICES): sound libraries need files
  // and local sockets of the system's, which nobody can list.
  bool opens_devices = false;
  std::vector<std::string> read;   // files and folders
  std::vector<std::string> write;  // files, which it may make and replace
};

// Confines the calling process for good, by Landlock and a seccomp filter, which need no privilege:
//  - of files it may read those of the system (/usr, /lib), its libraries, folders of LV2 and
//  LADSPA
//    plugins, and `read`, and write `write`; unless it opens devices
//  - no sockets; local ones if it opens devices
//  - no other program, no other process: no exec, fork, signal, ptrace
//  - nothing that administers the machine
// What the kernel lacks is left out, and one sentence says so; empty if nothing is missing. Before
// any thread that is to be confined. [control]
std::string confine(const Permissions& permissions);

}  // namespace sluice::isolate
