// Text files of the source tree that are part of the program. [any]
#pragma once

#include <span>
#include <string_view>

namespace sluice::cli {

struct EmbeddedFile {
  std::string_view path;  // relative to the folder that was embedded
  std::string_view content;
};

// sdk/template: the folder `common` and one for each kind of plugin. Words like @NAME@ are
// replaced; see new_plugin.cpp.
extern const std::span<const EmbeddedFile> kPluginTemplate;

}  // namespace sluice::cli
