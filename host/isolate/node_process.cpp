#include "host/isolate/node_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "host/isolate/remote_node.hpp"

extern "C" char** environ;

namespace sluice::isolate {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using support::Error;
using support::ErrorCode;

Error refused(int error) {
  return {ErrorCode::kNoMemory, fmt::format("No process of its own could be started for it: {}.",
                                            std::generic_category().message(error))};
}

// A copy that is none of those the new process gets.
int out_of_the_way(int descriptor) {
  const int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, 16);
  close(descriptor);
  return moved;
}

}  // namespace

support::Result<std::unique_ptr<NodeProcess>> NodeProcess::start(
    const std::filesystem::path& program, Listener& listener) {
  std::unique_ptr<NodeProcess> process(new NodeProcess(listener));
  int notes[2], descriptors[2];
  Channel::make_pair(notes);
  Channel::make_pair(descriptors);
  if (notes[0] < 0 || descriptors[0] < 0) return refused(errno);
  process->channel_.open(notes[0]);
  process->descriptor_socket_ = descriptors[0];
  const int note_end = out_of_the_way(notes[1]);
  const int descriptor_end = out_of_the_way(descriptors[1]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, note_end, kNoteDescriptor);
  posix_spawn_file_actions_adddup2(&actions, descriptor_end, kDescriptorDescriptor);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own: Ctrl-C is for the host. And no handlers or masks of the host's.
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string name = program, command = "isolated-node";
  char* const arguments[] = {name.data(), command.data(), nullptr};
  const int error =
      posix_spawn(&process->id_, program.c_str(), &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(note_end);
  close(descriptor_end);
  if (error != 0) {
    process->id_ = -1;
    return refused(error);
  }
  process->pid_descriptor_ = static_cast<int>(syscall(SYS_pidfd_open, process->id_, 0));
  if (process->pid_descriptor_ < 0) return refused(errno);
  return process;
}

NodeProcess::~NodeProcess() {
  if (id_ > 0 && !has_ended()) {
    kill();
    while (!has_ended()) {
      pollfd end{pid_descriptor_, POLLIN, 0};
      poll(&end, 1, pid_descriptor_ < 0 ? 1 : -1);
    }
  }
  if (pid_descriptor_ >= 0) close(pid_descriptor_);
  if (descriptor_socket_ >= 0) close(descriptor_socket_);
}

void NodeProcess::give_up() {
  is_gone_.store(true, std::memory_order_release);
  if (node_area_.data()) turns.rouse();
}

void NodeProcess::kill() {
  was_killed_ = true;
  // Not reaped yet, so the number is still its own.
  if (id_ > 0 && !has_ended()) ::kill(id_, SIGKILL);
  give_up();
}

bool NodeProcess::has_ended() {
  const std::lock_guard lock(mutex_);
  if (has_ended_ || id_ <= 0) return true;
  has_ended_ = waitpid(id_, &status_, WNOHANG) != 0;
  return has_ended_;
}

std::string NodeProcess::how_it_ended() const {
  if (WIFSIGNALED(status_)) return fmt::format("crashed (SIG{})", sigabbrev_np(WTERMSIG(status_)));
  return fmt::format("exited (code {})", WEXITSTATUS(status_));
}

void NodeProcess::take(Channel::Received& note) {
  for (const int descriptor : note.descriptors) close(descriptor);
  Unpacker facts(note.bytes);
  if (note.kind == Note::kListen) {
    channel_.send(Note::kListening, listener_.listen(*this, facts).bytes());
  } else {
    listener_.heard(note.kind, facts);
  }
}

support::Result<NodeProcess::Answer> NodeProcess::call(Note kind, const Packer& facts,
                                                       milliseconds patience,
                                                       std::span<const int> descriptors) {
  const auto deadline = steady_clock::now() + patience;
  {
    const std::lock_guard lock(mutex_);
    auto outcome = channel_.send(kind, facts.bytes(), descriptors) ? Channel::Outcome::kDone
                                                                   : Channel::Outcome::kClosed;
    while (outcome == Channel::Outcome::kDone) {
      Channel::Received note;
      const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
      outcome = channel_.receive(note, static_cast<int>(std::max<int64_t>(left, 0)));
      if (outcome != Channel::Outcome::kDone) break;
      if (note.kind != Note::kReply) {
        take(note);
        continue;
      }
      Unpacker answer(note.bytes);
      Answer result;
      result.result = answer.take<sluice_result>();
      result.sentence = answer.text();
      result.more = answer.rest();
      return result;
    }
    if (outcome == Channel::Outcome::kNothing) {
      was_killed_ = true;
      ::kill(id_, SIGKILL);
    }
  }
  const bool was_silent = was_killed_;
  for (;;) {
    if (has_ended()) break;
    pollfd end{pid_descriptor_, POLLIN, 0};
    // Its end of the socket is closed: it is about to end, or has no reason to go on.
    if (poll(&end, 1, 1000) == 0) kill();
  }
  give_up();
  if (was_silent) {
    return Error{ErrorCode::kTimeout,
                 fmt::format("gave no answer for {} ms and was ended", patience.count())};
  }
  return Error{ErrorCode::kInternal, how_it_ended()};
}

void NodeProcess::look() {
  const std::lock_guard lock(mutex_);
  for (;;) {
    Channel::Received note;
    if (channel_.receive(note, 0) != Channel::Outcome::kDone) return;
    if (note.kind != Note::kReply) take(note);
  }
}

support::Status NodeProcess::attach(std::span<const PortRoom> rooms, uint64_t host_bytes,
                                    uint64_t node_bytes) {
  auto host_area = Area::make("sluice host side", host_bytes, Area::Writer::kMaker);
  if (!host_area) return std::move(host_area).error();
  auto node_area = Area::make("sluice node side", node_bytes, Area::Writer::kOther);
  if (!node_area) return std::move(node_area).error();
  host_area_ = std::move(*host_area);
  node_area_ = std::move(*node_area);
  turns = Turns(own(), other());
  Packer facts;
  facts.list(rooms).add(host_bytes).add(node_bytes);
  const int both[] = {host_area_.descriptor(), node_area_.descriptor()};
  auto answer = call(Note::kAttach, facts, milliseconds(5000), both);
  host_area_.close_descriptor();
  node_area_.close_descriptor();
  if (!answer) return std::move(answer).error();
  if (answer->result != SLUICE_OK) return Error{ErrorCode::kNoMemory, answer->sentence};
  return {};
}

}  // namespace sluice::isolate
