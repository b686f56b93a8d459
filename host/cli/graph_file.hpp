// The file of a graph that plays: reading it again, saving into it, its profiles, and noticing that
// somebody has edited it. [control]
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/cli/file_watch.hpp"
#include "host/cli/graph_options.hpp"
#include "host/control/control.hpp"
#include "host/loader/library.hpp"
#include "host/session/session.hpp"
#include "host/support/result.hpp"

namespace sluice::cli {

class GraphFile {
 public:
  // `session` and `registry` outlive it. `loaded` is what the file says, with the options'
  // settings.
  GraphFile(session::Session& session, loader::Registry& registry, GraphOptions options,
            LoadedGraph loaded);

  // The methods of the control API that are about the file, as long as this lives.
  void offer(control::ControlOptions& options);

  // Follows what others save from now on: what differs from the file as it was changes in what
  // plays, too. So do the files of its plugins: nodes of one that was built anew are replaced.
  // Error: files cannot be watched.
  support::Status watch();
  // To be called about ten times a second.
  void look();

 private:
  session::ChangeRequest request_of(LoadedGraph loaded, std::string profile);
  support::Result<session::ChangeRequest> reload();
  support::Result<std::string> save();
  support::Result<graph::Value> profiles() const;
  support::Result<session::ChangeRequest> take_profile(const std::string& name);
  support::Result<std::string> save_profile(const std::string& name);
  support::Result<std::string> delete_profile(const std::string& name);
  support::Result<std::string> text() const;
  support::Status replace(const std::string& text);
  std::vector<std::filesystem::path> files() const;
  support::Status follow();
  void take_up();
  void take_up_plugins();
  std::vector<std::filesystem::path> plugins() const;

  session::Session& session_;
  loader::Registry& registry_;
  GraphOptions options_;
  LoadedGraph loaded_;  // as the file was when it was last read or written
  std::unique_ptr<FileWatch> watch_;
  std::map<std::filesystem::path, loader::FileStamp> plugin_stamps_;  // of those that are watched
  uint64_t followed_version_ = 0;
  bool has_news_ = false;
};

}  // namespace sluice::cli
