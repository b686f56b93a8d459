// Node types whose nodes run in processes of their own.
#pragma once

#include <sluice/plugin.h>

#include <filesystem>
#include <string>

#include "host/loader/type.hpp"
#include "host/support/result.hpp"

namespace sluice::isolate {

// `data` says what the plugin's type says, except for its functions. Lives until the process ends.
struct IsolatedType : sluice_type {
  std::filesystem::path file;
  std::filesystem::path program;
};

// The isolated kind of `type`; `program` is what such a process runs (see run_isolated_node).
// kUnsupported, with a sentence, for what cannot be isolated. [control]
support::Result<const IsolatedType*> isolated(const loader::Type& type,
                                              const std::filesystem::path& program);

}  // namespace sluice::isolate
