// WebServer and WebClient: the one file that sees Boost.Beast, which takes long to compile.
#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "host/control/web_client.hpp"
#include "host/control/web_server.hpp"
#include "host/support/thread.hpp"

namespace sluice::control {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using WebSocket = websocket::stream<tcp::socket>;
using HttpRequest = http::request<http::string_body>;
using HttpResponse = http::response<http::string_body>;
using support::Error;
using support::ErrorCode;

constexpr auto kWebAcceptPause = std::chrono::milliseconds(100);
// Connections beyond the limit that are told so; more are closed unheard.
constexpr size_t kMostRefused = 32;
constexpr uint32_t kHeaderBytes = 16384;
constexpr const char* kWebSocketPath = "/ws";

// The `string_view` of Boost 1.74 is not std's.
std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

class WebServer::Impl {
 public:
  Impl(WebOptions options, Handlers handlers)
      : options_(std::move(options)), handlers_(std::move(handlers)), acceptor_(io_), pause_(io_) {}

  support::Status open() {
    error_code error;
    const auto host = asio::ip::make_address(options_.address.host, error);
    const tcp::endpoint endpoint(host, options_.address.port);
    if (!error) acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) options_.address.port = acceptor_.local_endpoint(error).port();
    if (error) {
      return Error{ErrorCode::kIo, "Control over HTTP cannot listen at " +
                                       text_of(options_.address) + ": " + error.message() + "."};
    }
    accept();
    support::ThreadOptions thread_options;
    thread_options.name = "control http";
    auto thread = support::Thread::start(std::move(thread_options), [this] { io_.run(); });
    if (!thread) return std::move(thread).error();
    thread_ = std::move(*thread);
    return {};
  }

  ~Impl() {
    io_.stop();
    if (thread_.is_joinable()) thread_.join();
  }

  const WebAddress& address() const { return options_.address; }

  void send(uint64_t id, Outgoing message) {
    asio::post(io_, [this, id, message = std::move(message)]() mutable {
      const auto found = connections_.find(id);
      if (found != connections_.end()) queue(found->second, std::move(message));
    });
  }

  void answer(uint64_t id, WebAnswer answer) {
    asio::post(io_, [this, id, answer = std::move(answer)]() mutable {
      const auto found = connections_.find(id);
      if (found != connections_.end()) respond(found->second, std::move(answer));
    });
  }

 private:
  struct Connection {
    Connection(uint64_t number, tcp::socket&& accepted, double allowance)
        : id(number),
          stream(std::move(accepted)),
          timer(stream.get_executor()),
          tokens(allowance) {}
    tcp::socket& socket() { return stream.next_layer(); }

    uint64_t id;
    WebSocket stream;  // over the socket that speaks HTTP first
    asio::steady_timer timer;
    beast::flat_buffer buffer;
    std::optional<http::request_parser<http::string_body>> parser;
    std::optional<HttpResponse> response;
    std::string origin;  // that may read the answer
    unsigned version = 11;
    bool keeps_alive = false;
    double tokens;
    Clock::time_point refilled = Clock::now();
    std::deque<Outgoing> out;
    size_t out_bytes = 0;
  };
  using Shared = std::shared_ptr<Connection>;

  void accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {  // no descriptor is left, most likely
        pause_.expires_after(kWebAcceptPause);
        pause_.async_wait([this](const error_code& aborted) {
          if (!aborted) accept();
        });
        return;
      }
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      const uint64_t id = kFirstConnection + ++count_;
      const auto connection =
          std::make_shared<Connection>(id, std::move(socket), options_.limits.burst_lines);
      connections_[id] = connection;
      if (connections_.size() > options_.limits.connections + kMostRefused) {
        drop(id);
      } else if (connections_.size() > options_.limits.connections) {
        respond(connection, {503, "text/plain", "Too many clients are connected.\n", {}});
      } else {
        read_request(connection);
      }
      accept();
    });
  }

  // --- HTTP ---

  // Closes the connection unless what is going on ends in time.
  void limit_time(const Shared& connection) {
    connection->timer.expires_after(std::chrono::milliseconds(options_.request_timeout_ms));
    connection->timer.async_wait([this, connection](const error_code& error) {
      if (!error) drop(connection->id);
    });
  }

  void read_request(const Shared& connection) {
    connection->parser.emplace();
    connection->parser->header_limit(kHeaderBytes);
    connection->parser->body_limit(options_.limits.line_bytes);
    limit_time(connection);
    http::async_read(connection->socket(), connection->buffer, *connection->parser,
                     [this, connection](const error_code& error, size_t) {
                       if (!connections_.contains(connection->id)) return;
                       connection->timer.cancel();
                       if (error) return refuse_unread(connection, error);
                       take(connection, connection->parser->release());
                     });
  }

  void refuse_unread(const Shared& connection, const error_code& error) {
    connection->keeps_alive = false;
    if (error == http::error::body_limit) {
      return respond(connection, {413, "text/plain", "The request is too long.\n", {}});
    }
    if (error == http::error::header_limit) {
      return respond(connection, {431, "text/plain", "The headers are too long.\n", {}});
    }
    if (error.category() == http::make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
      return respond(connection, {400, "text/plain", "This is no HTTP request.\n", {}});
    }
    drop(connection->id);
  }

  void take(const Shared& connection, HttpRequest request) {
    connection->version = request.version();
    connection->keeps_alive = request.keep_alive();
    connection->origin.clear();
    const std::string_view target = view(request.target());
    WebRequest asked;
    asked.method = view(request.method_string());
    asked.path = target.substr(0, target.find('?'));
    if (auto refusal = refuse(connection, request, asked)) {
      return respond(connection, *std::move(refusal));
    }
    if (websocket::is_upgrade(request)) {
      if (asked.path == kWebSocketPath) return upgrade(connection, std::move(request));
      return respond(connection, {404, "text/plain", "The WebSocket is at /ws.\n", {}});
    }
    if (asked.path == kWebSocketPath) {
      return respond(connection, {426, "text/plain", "This is for WebSockets.\n", {}});
    }
    asked.accept = view(request[http::field::accept]);
    asked.body = std::move(request.body());
    when_allowed(connection, [this, connection, asked = std::move(asked)]() mutable {
      auto answer = handlers_.on_request(connection->id, std::move(asked));
      if (answer) respond(connection, *std::move(answer));
    });
  }

  // What keeps a request from being looked at, or answers it at once.
  std::optional<WebAnswer> refuse(const Shared& connection, const HttpRequest& request,
                                  const WebRequest& asked) const {
    const bool needs_token = !options_.token.empty();
    if (!needs_token && !names_loopback(view(request[http::field::host]))) {
      return WebAnswer{
          403, "text/plain", "Ask for 127.0.0.1 or localhost, by no other name.\n", {}};
    }
    if (const auto origin = request.find(http::field::origin); origin != request.end()) {
      const std::string from(view(origin->value()));
      if (std::find(options_.origins.begin(), options_.origins.end(), from) ==
          options_.origins.end()) {
        return WebAnswer{403, "text/plain", "Web pages of that origin may not ask.\n", {}};
      }
      connection->origin = from;
      if (asked.method == "OPTIONS") return WebAnswer{204, {}, {}, {}};
    }
    if (needs_token && asked.path != "/healthz" &&
        !authorizes(view(request[http::field::authorization]), options_.token)) {
      return WebAnswer{401, "text/plain", "Show the token: Authorization: Bearer TOKEN.\n", {}};
    }
    return std::nullopt;
  }

  void respond(const Shared& connection, WebAnswer answer) {
    HttpResponse& response = connection->response.emplace();
    response.version(connection->version);
    response.result(answer.status);
    response.set(http::field::server, "sluice/" SLUICE_VERSION);
    response.set(http::field::cache_control, "no-store");
    response.set("X-Content-Type-Options", "nosniff");
    if (!answer.content_type.empty()) {
      response.set(http::field::content_type, answer.content_type);
      response.body() = std::move(answer.body);
    }
    if (!answer.allow.empty()) response.set(http::field::allow, answer.allow);
    if (answer.status == 401) response.set(http::field::www_authenticate, "Bearer");
    if (answer.status == 426) response.set(http::field::upgrade, "websocket");
    if (!connection->origin.empty()) {
      response.set(http::field::access_control_allow_origin, connection->origin);
      response.set(http::field::vary, "Origin");
      response.set(http::field::access_control_allow_methods, "GET, POST");
      response.set(http::field::access_control_allow_headers, "Authorization, Content-Type");
    }
    response.keep_alive(connection->keeps_alive);
    if (answer.status != 204) response.prepare_payload();
    limit_time(connection);
    http::async_write(connection->socket(), response,
                      [this, connection](const error_code& error, size_t) {
                        if (!connections_.contains(connection->id)) return;
                        connection->timer.cancel();
                        if (error) return drop(connection->id);
                        if (connection->keeps_alive) return read_request(connection);
                        end(connection);
                      });
  }

  // What the client still sends is read for a while: closing over it would take the answer away
  // before it is read (RFC 9112, 9.6).
  void end(const Shared& connection) {
    error_code ignored;
    connection->socket().shutdown(tcp::socket::shutdown_send, ignored);
    limit_time(connection);
    drain(connection);
  }
  void drain(const Shared& connection) {
    connection->buffer.consume(connection->buffer.size());
    connection->socket().async_read_some(connection->buffer.prepare(kHeaderBytes),
                                         [this, connection](const error_code& error, size_t) {
                                           if (error) return drop(connection->id);
                                           if (connections_.contains(connection->id))
                                             drain(connection);
                                         });
  }

  // --- WebSocket ---

  void upgrade(const Shared& connection, HttpRequest request) {
    websocket::stream_base::timeout timeout{};
    timeout.handshake_timeout = std::chrono::milliseconds(options_.request_timeout_ms);
    timeout.idle_timeout = std::chrono::milliseconds(options_.silence_timeout_ms);
    timeout.keep_alive_pings = true;
    connection->stream.set_option(timeout);
    connection->stream.read_message_max(options_.limits.line_bytes);
    connection->stream.auto_fragment(false);
    connection->stream.text(true);
    const auto shared = std::make_shared<HttpRequest>(std::move(request));
    connection->stream.async_accept(*shared, [this, connection, shared](const error_code& error) {
      if (!connections_.contains(connection->id)) return;
      if (error) return drop(connection->id);
      connection->buffer.consume(connection->buffer.size());
      read_message(connection);
    });
  }

  void read_message(const Shared& connection) {
    connection->stream.async_read(
        connection->buffer, [this, connection](const error_code& error, size_t) {
          if (!connections_.contains(connection->id)) return;
          if (error) return drop(connection->id);
          if (!connection->stream.got_text()) return close(connection);
          const auto data = connection->buffer.cdata();
          std::string message(static_cast<const char*>(data.data()), data.size());
          connection->buffer.consume(data.size());
          std::string answer = handlers_.on_message(connection->id, std::move(message));
          if (!answer.empty()) queue(connection, {std::move(answer)});
          when_allowed(connection, [this, connection] { read_message(connection); });
        });
  }

  void close(const Shared& connection) {
    connection->stream.async_close(websocket::close_code::unknown_data,
                                   [this, connection](const error_code&) { drop(connection->id); });
  }

  void queue(const Shared& connection, Outgoing message) {
    const ServerLimits& limits = options_.limits;
    if (message.may_be_left_out && connection->out_bytes > limits.waiting_news_bytes) return;
    if (connection->out_bytes + message.size() > limits.waiting_bytes) return drop(connection->id);
    connection->out_bytes += message.size();
    connection->out.push_back(std::move(message));
    if (connection->out.size() == 1) write(connection);
  }

  void write(const Shared& connection) {
    const Outgoing& message = connection->out.front();
    const std::array<asio::const_buffer, 2> buffers{
        asio::buffer(message.text),
        message.rest ? asio::buffer(*message.rest) : asio::const_buffer()};
    connection->stream.async_write(buffers, [this, connection](const error_code& error, size_t) {
      if (!connections_.contains(connection->id)) return;
      if (error) return drop(connection->id);
      connection->out_bytes -= connection->out.front().size();
      connection->out.pop_front();
      if (!connection->out.empty()) write(connection);
    });
  }

  // --- both ---

  // Goes on at once, or later if the connection has asked for too much.
  template <typename Next>
  void when_allowed(const Shared& connection, Next next) {
    Connection& c = *connection;
    const auto now = Clock::now();
    const std::chrono::duration<double> passed = now - c.refilled;
    c.refilled = now;
    const ServerLimits& limits = options_.limits;
    c.tokens = std::min(limits.burst_lines, c.tokens + passed.count() * limits.lines_per_s) - 1.0;
    if (c.tokens >= 0.0) return next();
    c.timer.expires_after(std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(-c.tokens / limits.lines_per_s)));
    c.timer.async_wait([this, connection, next = std::move(next)](const error_code& error) mutable {
      if (!error && connections_.contains(connection->id)) next();
    });
  }

  void drop(uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    const Shared connection = found->second;
    connections_.erase(found);
    connection->timer.cancel();
    error_code ignored;
    connection->socket().close(ignored);
    handlers_.on_close(id);
  }

  WebOptions options_;
  const Handlers handlers_;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::map<uint64_t, Shared> connections_;
  uint64_t count_ = 0;
  support::Thread thread_;
};

WebServer::WebServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WebServer::~WebServer() = default;

support::Result<std::unique_ptr<WebServer>> WebServer::listen(WebOptions options,
                                                              Handlers handlers) {
  if (options.token.empty() && !options.address.is_loopback()) {
    return Error{ErrorCode::kPermission,
                 "Control over HTTP at " + text_of(options.address) +
                     " can be reached from elsewhere and needs a token: --http-token-file FILE, or "
                     "SLUICE_HTTP_TOKEN in the environment."};
  }
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handlers));
  if (auto status = impl->open(); !status) return std::move(status).error();
  return std::unique_ptr<WebServer>(new WebServer(std::move(impl)));
}

const WebAddress& WebServer::address() const { return impl_->address(); }
void WebServer::send(uint64_t connection, Outgoing message) {
  impl_->send(connection, std::move(message));
}
void WebServer::answer(uint64_t connection, WebAnswer answer) {
  impl_->answer(connection, std::move(answer));
}

class WebClient::Impl {
 public:
  support::Status open(const std::string& url, const std::string& token) {
    constexpr std::string_view kScheme = "http://";
    std::string_view rest = url;
    if (rest.starts_with(kScheme)) rest.remove_prefix(kScheme.size());
    while (rest.ends_with('/')) rest.remove_suffix(1);
    const size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos || rest.find('/') != std::string_view::npos) {
      return Error{ErrorCode::kInvalid,
                   url + " is no address of a host; write http://127.0.0.1:8080."};
    }
    std::string host(rest.substr(0, colon));
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    error_code error;
    tcp::resolver resolver(io_);
    const auto found = resolver.resolve(host, std::string(rest.substr(colon + 1)), error);
    if (!error) asio::connect(stream_.next_layer(), found, error);
    if (error) {
      return Error{ErrorCode::kIo, "Nobody answers at " + url + ": " + error.message() + "."};
    }
    if (!token.empty()) {
      stream_.set_option(
          websocket::stream_base::decorator([token](websocket::request_type& request) {
            request.set(http::field::authorization, "Bearer " + token);
          }));
    }
    stream_.handshake(std::string(rest), kWebSocketPath, error);
    if (!error) {
      stream_.text(true);
      return {};
    }
    if (error == websocket::error::upgrade_declined) {
      return Error{ErrorCode::kPermission,
                   "The host at " + url +
                       " refuses. If it wants a token: that is taken from SLUICE_HTTP_TOKEN or "
                       "--token-file."};
    }
    return Error{ErrorCode::kIo,
                 "The host at " + url + " offers no WebSocket: " + error.message() + "."};
  }

  support::Status send(const std::string& message) {
    error_code error;
    stream_.write(asio::buffer(message), error);
    if (error) return Error{ErrorCode::kIo, "The host has gone: " + error.message() + "."};
    return {};
  }

  std::optional<std::string> receive() {
    beast::flat_buffer buffer;
    error_code error;
    stream_.read(buffer, error);
    if (error) return std::nullopt;
    const auto data = buffer.cdata();
    return std::string(static_cast<const char*>(data.data()), data.size());
  }

 private:
  asio::io_context io_{1};
  WebSocket stream_{io_};
};

WebClient::WebClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WebClient::WebClient(WebClient&& other) noexcept = default;
WebClient::~WebClient() = default;

support::Result<WebClient> WebClient::connect(const std::string& url, const std::string& token) {
  auto impl = std::make_unique<Impl>();
  if (auto status = impl->open(url, token); !status) return std::move(status).error();
  return WebClient(std::move(impl));
}

support::Status WebClient::send(const std::string& message) { return impl_->send(message); }
std::optional<std::string> WebClient::receive() { return impl_->receive(); }

}  // namespace sluice::control
