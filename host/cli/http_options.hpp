// The options by which `sluice run` is asked for control over HTTP. [control]
#pragma once

#include <boost/program_options/options_description.hpp>
#include <optional>
#include <string>
#include <vector>

#include "host/control/web_server.hpp"
#include "host/support/result.hpp"

namespace sluice::cli {

// Holds the token for HTTP, on both sides, where no file does.
inline constexpr const char* kTokenVariable = "SLUICE_HTTP_TOKEN";

struct HttpOptions {
  std::string address;
  std::string token_file;
  std::vector<std::string> origins;

  void add_to(boost::program_options::options_description& options);
  // What they ask for; nothing without an address. Takes the token out of the environment, so that
  // no process started later has it.
  support::Result<std::optional<control::WebOptions>> web() const;
};

}  // namespace sluice::cli
