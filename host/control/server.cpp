#include "host/control/server.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <utility>

#include "host/support/thread.hpp"

namespace sluice::control {
namespace {

namespace asio = boost::asio;
using Socket = asio::local::stream_protocol::socket;
using Clock = std::chrono::steady_clock;
using boost::system::error_code;

constexpr size_t kReadBytes = size_t{16} << 10;
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

constexpr const char* kTooLong =
    R"({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "The message is longer than this host takes."}})";
constexpr const char* kTooMany =
    R"({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "Too many clients are connected; close one."}})";

}  // namespace

class Server::Impl {
 public:
  Impl(const ServerLimits& limits, Handlers handlers)
      : limits_(limits), handlers_(std::move(handlers)), acceptor_(io_), pause_(io_) {}

  support::Status open(const std::filesystem::path& path) {
    path_ = path;
    ::unlink(path.c_str());
    error_code error;
    const asio::local::stream_protocol::endpoint endpoint(path.string());
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.bind(endpoint, error);
    // The folder is the owner's alone already.
    if (!error) ::chmod(path.c_str(), 0600);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return support::Error{
          support::ErrorCode::kIo,
          "The control socket " + path.string() + " cannot be made: " + error.message() + "."};
    }
    accept();
    support::ThreadOptions options;
    options.name = "control";
    auto thread = support::Thread::start(std::move(options), [this] { io_.run(); });
    if (!thread) return std::move(thread).error();
    thread_ = std::move(*thread);
    return {};
  }

  ~Impl() {
    io_.stop();
    if (thread_.is_joinable()) thread_.join();
    if (acceptor_.is_open()) ::unlink(path_.c_str());
  }

  void send(uint64_t id, Outgoing line) {
    asio::post(io_, [this, id, line = std::move(line)]() mutable {
      const auto found = connections_.find(id);
      if (found != connections_.end()) queue(*found->second, std::move(line));
    });
  }

  void close(uint64_t id) {
    asio::post(io_, [this, id] {
      const auto found = connections_.find(id);
      if (found == connections_.end()) return;
      if (found->second->out.empty()) return drop(id);
      found->second->is_closing = true;
    });
  }

 private:
  struct Connection {
    Connection(uint64_t number, Socket&& accepted, double allowance)
        : id(number),
          socket(std::move(accepted)),
          timer(socket.get_executor()),
          tokens(allowance) {}
    uint64_t id;
    Socket socket;
    asio::steady_timer timer;
    double tokens;
    Clock::time_point refilled = Clock::now();
    std::array<char, kReadBytes> buffer{};
    std::string line;
    std::deque<Outgoing> out;
    size_t out_bytes = 0;
    bool is_closing = false;
  };

  void accept() {
    acceptor_.async_accept([this](const error_code& error, Socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {  // no descriptor is left, most likely
        pause_.expires_after(kAcceptPause);
        pause_.async_wait([this](const error_code& aborted) {
          if (!aborted) accept();
        });
        return;
      }
      const uint64_t id = ++last_id_;
      auto connection = std::make_shared<Connection>(id, std::move(socket), limits_.burst_lines);
      connections_[id] = connection;
      if (connections_.size() > limits_.connections) {
        queue(*connection, {kTooMany});
        connection->is_closing = true;
      } else {
        read(connection);
      }
      accept();
    });
  }

  void read(const std::shared_ptr<Connection>& connection) {
    connection->socket.async_read_some(
        asio::buffer(connection->buffer), [this, connection](const error_code& error, size_t size) {
          if (error || !connections_.contains(connection->id)) return drop(connection->id);
          take(connection, std::string_view(connection->buffer.data(), size));
        });
  }

  void take(const std::shared_ptr<Connection>& connection, std::string_view text) {
    Connection& c = *connection;
    while (!text.empty()) {
      const size_t end = text.find('\n');
      const size_t size = std::min(end, text.size());
      if (c.line.size() + size > limits_.line_bytes) {
        queue(c, {kTooLong});
        c.is_closing = true;
        return;
      }
      c.line.append(text.substr(0, size));
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 1);
      c.tokens -= 1.0;
      std::string line = std::exchange(c.line, {});
      if (line.find_first_not_of(" \t\r") != std::string::npos) {
        std::string answer = handlers_.on_line(c.id, std::move(line));
        if (!answer.empty()) queue(c, {std::move(answer)});
      }
    }
    refill(c);
    if (c.tokens >= 0.0) return read(connection);
    c.timer.expires_after(std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(-c.tokens / limits_.lines_per_s)));
    c.timer.async_wait([this, connection](const error_code& error) {
      if (!error && connections_.contains(connection->id)) read(connection);
    });
  }

  void refill(Connection& connection) const {
    const auto now = Clock::now();
    const std::chrono::duration<double> passed = now - connection.refilled;
    connection.refilled = now;
    connection.tokens =
        std::min(limits_.burst_lines, connection.tokens + passed.count() * limits_.lines_per_s);
  }

  void queue(Connection& connection, Outgoing line) {
    if (connection.is_closing) return;
    if (line.may_be_left_out && connection.out_bytes > limits_.waiting_news_bytes) return;
    if (connection.out_bytes + line.size() > limits_.waiting_bytes) return drop(connection.id);
    connection.out_bytes += line.size();
    connection.out.push_back(std::move(line));
    if (connection.out.size() == 1) write(connection.id);
  }

  void write(uint64_t id) {
    const auto connection = connections_.at(id);
    const Outgoing& line = connection->out.front();
    const std::array<asio::const_buffer, 3> buffers{
        asio::buffer(line.text), line.rest ? asio::buffer(*line.rest) : asio::const_buffer(),
        asio::const_buffer("\n", 1)};
    asio::async_write(connection->socket, buffers,
                      [this, connection](const error_code& error, size_t) {
                        if (!connections_.contains(connection->id)) return;
                        if (error) return drop(connection->id);
                        connection->out_bytes -= connection->out.front().size();
                        connection->out.pop_front();
                        if (!connection->out.empty()) return write(connection->id);
                        if (connection->is_closing) drop(connection->id);
                      });
  }

  void drop(uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    const auto connection = found->second;
    connections_.erase(found);
    connection->timer.cancel();
    error_code ignored;
    connection->socket.close(ignored);
    handlers_.on_close(id);
  }

  const ServerLimits limits_;
  const Handlers handlers_;
  asio::io_context io_{1};
  asio::local::stream_protocol::acceptor acceptor_;
  asio::steady_timer pause_;
  std::filesystem::path path_;
  std::map<uint64_t, std::shared_ptr<Connection>> connections_;
  uint64_t last_id_ = 0;
  support::Thread thread_;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

support::Result<std::unique_ptr<Server>> Server::listen(const std::filesystem::path& path,
                                                        const ServerLimits& limits,
                                                        Handlers handlers) {
  auto impl = std::make_unique<Impl>(limits, std::move(handlers));
  if (auto status = impl->open(path); !status) return std::move(status).error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

void Server::send(uint64_t connection, Outgoing line) { impl_->send(connection, std::move(line)); }

void Server::close(uint64_t connection) { impl_->close(connection); }

}  // namespace sluice::control
