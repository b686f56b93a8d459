// What the control API answers to requests over HTTP; WebSockets are as the graph's socket.
#include <utility>

#include "host/control/control.hpp"
#include "host/graph/json_text.hpp"

namespace sluice::control {
namespace {

using graph::Value;

constexpr const char* kJson = "application/json";
constexpr const char* kText = "text/plain; charset=utf-8";

}  // namespace

support::Status Control::listen_to_web() {
  if (!options_.web) return {};
  WebServer::Handlers handlers;
  handlers.on_message = [this](uint64_t connection, const std::string& message) {
    return take_message(connection, message);
  };
  handlers.on_request = [this](uint64_t connection, const WebRequest& request) {
    return take_request(connection, request);
  };
  handlers.on_close = [this](uint64_t connection) { forget(connection); };
  auto web = WebServer::listen(*options_.web, std::move(handlers));
  if (!web) return std::move(web).error();
  web_ = std::move(*web);
  return {};
}

std::string Control::url() const { return web_ ? "http://" + text_of(web_->address()) : ""; }

std::optional<WebAnswer> Control::take_request(uint64_t connection, const WebRequest& request) {
  const bool is_rpc = request.path == "/rpc";
  const bool is_metrics = request.path == "/metrics";
  if (!is_rpc && !is_metrics && request.path != "/healthz") {
    return WebAnswer{
        404, kText, "There are POST /rpc, GET /metrics, GET /healthz and the WebSocket /ws.\n", {}};
  }
  const char* const allowed = is_rpc ? "POST" : "GET";
  if (request.method != allowed) {
    return WebAnswer{405, kText, "Another method is wanted here.\n", allowed};
  }
  bool has_room = true;
  if (is_rpc) {
    auto message = std::make_shared<std::optional<Value>>(graph::parse_json_value(request.body));
    has_room = post([this, connection, message] {
      rpc_.handle(*message, {connection, false}, [this, connection](std::string answer) {
        const bool is_empty = answer.empty();
        web_->answer(connection, is_empty ? WebAnswer{204, {}, {}, {}}
                                          : WebAnswer{200, kJson, std::move(answer), {}});
      });
    });
  } else if (is_metrics) {
    const bool is_open = prefers_open_metrics(request.accept);
    has_room = post([this, connection, is_open] {
      const auto format = is_open ? MetricsFormat::kOpenMetrics : MetricsFormat::kPrometheus;
      web_->answer(connection, {200, content_type_of(format), metrics(format), {}});
    });
  } else {
    // Answered by the session, so that it tells whether that still turns.
    has_room = post([this, connection] { web_->answer(connection, {200, kText, "ok\n", {}}); });
  }
  if (has_room) return std::nullopt;
  return WebAnswer{503, kText, "The host has too much to do; try again later.\n", {}};
}

}  // namespace sluice::control
