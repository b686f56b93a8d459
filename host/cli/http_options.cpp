#include "host/cli/http_options.hpp"

#include <boost/program_options/value_semantic.hpp>
#include <cstdlib>
#include <utility>

namespace sluice::cli {

namespace po = boost::program_options;

void HttpOptions::add_to(po::options_description& options) {
  options.add_options()("http", po::value(&address)->value_name("[ADDRESS:]PORT"),
                        "control over HTTP and WebSocket there, and metrics; beyond the loopback "
                        "only with a token");
  options.add_options()("http-token-file", po::value(&token_file)->value_name("FILE"),
                        "the token is the first line of FILE (else SLUICE_HTTP_TOKEN)");
  options.add_options()("http-origin", po::value(&origins)->value_name("ORIGIN"),
                        "web pages from there may ask; can be given several times");
}

support::Result<std::optional<control::WebOptions>> HttpOptions::web() const {
  control::WebOptions web;
  if (const char* token = std::getenv(kTokenVariable); token && *token) {
    web.token = token;
    ::unsetenv(kTokenVariable);
    if (address.empty()) return std::optional<control::WebOptions>();
    if (auto status = control::check_token(web.token); !status) return std::move(status).error();
  }
  if (address.empty()) return std::optional<control::WebOptions>();
  auto parsed = control::parse_web_address(address);
  if (!parsed) return std::move(parsed).error();
  web.address = *std::move(parsed);
  if (!token_file.empty()) {
    auto token = control::read_token(token_file);
    if (!token) return std::move(token).error();
    web.token = *std::move(token);
  }
  web.origins = origins;
  return std::optional<control::WebOptions>(std::move(web));
}

}  // namespace sluice::cli
