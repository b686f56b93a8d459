// A real Snapserver 0.26 and a real client of it, unpacked below build/lab/snap, for a test to
// feed.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/cli_fixture.hpp"
#include "tests/support/daemon.hpp"

namespace sluice::tests {

namespace fs = std::filesystem;

inline int connect_to(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return descriptor;
  }
  close(descriptor);
  return -1;
}

inline bool wait_for(const std::function<bool()>& condition, int seconds = 60) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

inline size_t count_of(const std::string& text, const std::string& word) {
  size_t count = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

class Snapserver : public Cli {
 protected:
  void SetUp() override {
    server_program_ = lab_program("snap", "snapserver");
    client_program_ = lab_program("snap", "snapclient");
    if (server_program_.empty() || client_program_.empty()) {
      GTEST_SKIP() << "snapserver and snapclient are not below build/lab/snap; ./dev test puts "
                      "them there.";
    }
    write(folder_.path() / "empty.conf", "");
  }

  // `mode` as Snapserver calls it: server listens for the audio, client fetches it.
  void start_server(const std::string& mode = "server") {
    const std::string local = "127.0.0.1";
    server_ = std::make_unique<Daemon>(
        server_program_,
        std::vector<std::string>{
            "-c", "empty.conf", "--server.datadir=" + folder_.path().string(),
            "--http.bind_to_address=" + local, "--http.port=" + std::to_string(http_port_),
            "--tcp.bind_to_address=" + local, "--tcp.port=" + std::to_string(control_port_),
            "--stream.bind_to_address=" + local, "--stream.port=" + std::to_string(stream_port_),
            "--stream.buffer=1000",
            "--stream.source=tcp://" + local + ":" + std::to_string(port_) +
                "?name=lab&mode=" + mode + "&sampleformat=48000:16:2&codec=pcm&chunk_ms=20",
            "--logging.sink=stdout", "--logging.filter=*:info"},
        folder_.path(), folder_.path() / "server.log");
    for (const uint16_t port : {control_port_, stream_port_}) {
      ASSERT_TRUE(wait_for([&] {
        const int descriptor = connect_to(port);
        if (descriptor >= 0) close(descriptor);
        return descriptor >= 0;
      })) << server_->log();
    }
  }
  void start_client() {
    client_ = std::make_unique<Daemon>(
        client_program_,
        std::vector<std::string>{"-h", "127.0.0.1", "-p", std::to_string(stream_port_), "--hostID",
                                 "lab" + std::to_string(stream_port_), "--mixer", "none",
                                 "--player", "file:filename=" + played_.string(), "--logsink",
                                 "stdout"},
        folder_.path(), folder_.path() / "client.log");
    ASSERT_TRUE(wait_for([&] { return fs::exists(played_) && fs::file_size(played_) > 0; }))
        << client_->log();
  }
  // The status of the server's stream, by its control port: idle, playing, or why not known.
  std::string status() const {
    const int descriptor = connect_to(control_port_);
    if (descriptor < 0) return "no server";
    const std::string request = "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"Server.GetStatus\"}\n";
    std::string answer;
    if (write_all(descriptor, request)) {
      char buffer[4096];
      ssize_t count = 0;
      while (answer.find('\n') == std::string::npos &&
             (count = read(descriptor, buffer, sizeof(buffer))) > 0) {
        answer.append(buffer, static_cast<size_t>(count));
      }
    }
    close(descriptor);
    for (const char* word : {"idle", "playing"}) {
      if (answer.find("\"status\":\"" + std::string(word) + "\"") != std::string::npos) return word;
    }
    return answer;
  }
  static bool write_all(int descriptor, const std::string& text) {
    return ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }

  // Numbered frames, live, for so long.
  Words counted(double seconds, const std::string& more = "") const {
    return {"run", "-e",
            "source.tone wave=counter live=true duration_ms=" +
                std::to_string(static_cast<int>(seconds * 1000)) +
                " -> sink.tcp port=" + std::to_string(port_) + " lead_ms=500 " + more};
  }
  // The numbers of the frames that the client has played so far, silence left out.
  std::vector<uint32_t> played() const {
    const std::string bytes = content(played_);
    std::vector<uint32_t> numbers;
    for (size_t at = 0; at + 4 <= bytes.size(); at += 4) {
      uint32_t number = 0;
      std::memcpy(&number, bytes.data() + at, 4);
      if (number != 0) numbers.push_back(number);
    }
    return numbers;
  }

  fs::path server_program_, client_program_;
  const fs::path played_ = folder_.path() / "played.raw";
  const uint16_t port_ = free_port();
  const uint16_t control_port_ = free_port();
  const uint16_t stream_port_ = free_port();
  const uint16_t http_port_ = free_port();
  std::unique_ptr<Daemon> server_, client_;
};

}  // namespace sluice::tests
