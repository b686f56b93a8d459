// Replaced below with plain functions: the checked variants in the headers would get in the way.
#undef _FORTIFY_SOURCE

#include "host/validate/rt_guard.hpp"

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "host/support/audio_section.hpp"
#include "host/support/sanitizers.hpp"

#if SLUICE_ADDRESS_SANITIZER || SLUICE_THREAD_SANITIZER
#define SLUICE_HAS_RT_GUARD 0
#else
#define SLUICE_HAS_RT_GUARD 1
#endif

namespace sluice::validate {
namespace {

// Plain memory, no lock: forbidden calls come from anywhere, malloc among them.
constexpr std::size_t kMostRecorded = 1024;
struct Record {
  std::atomic<int> recorders{0};
  std::atomic<std::size_t> count{0};
  std::array<std::atomic<const char*>, kMostRecorded> functions{};
};
constinit Record record;

thread_local constinit bool is_in_worker_section = false;
// Until the one that is refused; 0: none is.
thread_local constinit uint32_t allocations_left = 0;
thread_local constinit bool has_refused = false;
thread_local constinit bool is_plugin_code = false;

}  // namespace

bool has_rt_guard() { return SLUICE_HAS_RT_GUARD != 0; }

WorkerSection::WorkerSection() noexcept { is_in_worker_section = true; }
WorkerSection::~WorkerSection() { is_in_worker_section = false; }
WorkerSectionPause::WorkerSectionPause() noexcept
    : before_(std::exchange(is_in_worker_section, false)) {}
WorkerSectionPause::~WorkerSectionPause() { is_in_worker_section = before_; }

PluginCode::PluginCode(bool is_plugin) noexcept
    : before_(std::exchange(is_plugin_code, is_plugin)) {}
PluginCode::~PluginCode() { is_plugin_code = before_; }

RefusedAllocation::RefusedAllocation(uint32_t nth) noexcept {
  allocations_left = nth;
  has_refused = false;
}
RefusedAllocation::~RefusedAllocation() { allocations_left = 0; }
bool RefusedAllocation::has_come() const noexcept { return has_refused; }

RtGuardRecorder::RtGuardRecorder() {
  if (record.recorders.fetch_add(1) == 0) record.count = 0;
}
RtGuardRecorder::~RtGuardRecorder() { record.recorders.fetch_sub(1); }

std::vector<std::string> RtGuardRecorder::functions() const {
  std::vector<std::string> names;
  const std::size_t count = std::min(record.count.load(), kMostRecorded);
  for (std::size_t i = 0; i < count; ++i) {
    const char* const name = record.functions[i].load();
    if (name != nullptr) names.emplace_back(name);
  }
  return names;
}

bool RtGuardRecorder::has(std::string_view function) const {
  const std::vector<std::string> all = functions();
  return std::find(all.begin(), all.end(), function) != all.end();
}

#if SLUICE_HAS_RT_GUARD

namespace {

[[gnu::noinline]] void report(const char* function, const char* where) {
  // What the report itself does is allowed.
  const support::AudioSectionPause pause;
  const WorkerSectionPause worker_pause;
  if (record.recorders.load() > 0) {
    const std::size_t index = record.count.fetch_add(1);
    if (index < kMostRecorded) record.functions[index].store(function);
    return;
  }
  std::array<char, 160> line{};
  const int bytes =
      std::snprintf(line.data(), line.size(), "rt_guard: %s was called in %s\n", function, where);
  [[maybe_unused]] const auto written =
      ::write(STDERR_FILENO, line.data(), static_cast<std::size_t>(bytes));
  std::array<void*, 64> frames{};
  const int count = backtrace(frames.data(), static_cast<int>(frames.size()));
  backtrace_symbols_fd(frames.data(), count, STDERR_FILENO);
  std::abort();
}

inline void check(const char* function) {
  if (support::is_in_audio_section()) [[unlikely]]
    report(function, "an audio call");
}
// For functions that may wait for somebody else.
inline void check_blocking(const char* function) {
  if (support::is_in_audio_section()) [[unlikely]]
    report(function, "an audio call");
  if (is_in_worker_section) [[unlikely]]
    report(function, "a worker thread");
}

// Whether this allocation is the one to be refused.
inline bool is_refused() {
  if (allocations_left == 0 || !is_plugin_code) [[likely]]
    return false;
  if (--allocations_left != 0) return false;
  has_refused = true;
  errno = ENOMEM;
  return true;
}

// The function that would have been called without the guard.
template <typename Function>
Function* original(std::atomic<Function*>& known, const char* name) {
  Function* function = known.load(std::memory_order_relaxed);
  if (function == nullptr) {
    // dlsym itself may allocate and lock.
    const support::AudioSectionPause pause;
    function = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
    known.store(function, std::memory_order_relaxed);
  }
  return function;
}

// backtrace() loads a library when it is first called.
[[gnu::constructor]] void prepare_backtrace() {
  std::array<void*, 2> frames{};
  backtrace(frames.data(), static_cast<int>(frames.size()));
}

}  // namespace

#endif

}  // namespace sluice::validate

#if SLUICE_HAS_RT_GUARD

// The allocator's own names: dlsym(RTLD_NEXT, "malloc") would itself have to allocate.
// NOLINTBEGIN(readability-identifier-naming): they are glibc's
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void* memory);
}
// NOLINTEND(readability-identifier-naming)

namespace {
using sluice::validate::check;
using sluice::validate::check_blocking;
using sluice::validate::is_refused;
using sluice::validate::original;
}  // namespace

extern "C" {

void* malloc(size_t bytes) noexcept {
  check("malloc");
  if (is_refused()) return nullptr;
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) noexcept {
  check("calloc");
  if (is_refused()) return nullptr;
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, size_t bytes) noexcept {
  check("realloc");
  if (is_refused()) return nullptr;
  return __libc_realloc(memory, bytes);
}
void free(void* memory) noexcept {
  if (memory != nullptr) check("free");
  __libc_free(memory);
}
void* memalign(size_t alignment, size_t bytes) noexcept {
  check("memalign");
  if (is_refused()) return nullptr;
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  check("aligned_alloc");
  if (is_refused()) return nullptr;
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, size_t alignment, size_t bytes) noexcept {
  check("posix_memalign");
  if (is_refused()) return ENOMEM;
  if (alignment % sizeof(void*) != 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
  void* const got = __libc_memalign(alignment, bytes);
  if (got == nullptr) return ENOMEM;
  *memory = got;
  return 0;
}

// Notes the call and passes it on.
// NOLINTBEGIN(bugprone-macro-parentheses): a type and an initialiser cannot have any
#define SLUICE_WATCH(result, name, parameters, arguments, ...) \
  SLUICE_WATCH_BY(check, result, name, parameters, arguments, __VA_ARGS__)
#define SLUICE_WATCH_WAIT(result, name, parameters, arguments, ...) \
  SLUICE_WATCH_BY(check_blocking, result, name, parameters, arguments, __VA_ARGS__)
#define SLUICE_WATCH_BY(checker, result, name, parameters, arguments, ...) \
  result name parameters __VA_ARGS__ {                                     \
    static constinit std::atomic<result(*) parameters> known{};            \
    checker(#name);                                                        \
    return SLUICE_ORIGINAL(name, known) arguments;                         \
  }
#define SLUICE_ORIGINAL(name, known)                                                        \
  (known.load(std::memory_order_relaxed) != nullptr ? known.load(std::memory_order_relaxed) \
                                                    : original(known, #name))
// NOLINTEND(bugprone-macro-parentheses)

SLUICE_WATCH(int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex), noexcept)
SLUICE_WATCH(int, pthread_mutex_timedlock, (pthread_mutex_t * mutex, const timespec* until),
             (mutex, until), noexcept)
SLUICE_WATCH(int, pthread_mutex_clocklock,
             (pthread_mutex_t * mutex, clockid_t clock, const timespec* until),
             (mutex, clock, until), noexcept)
SLUICE_WATCH(int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock), noexcept)
SLUICE_WATCH(int, pthread_rwlock_wrlock, (pthread_rwlock_t * lock), (lock), noexcept)
SLUICE_WATCH(int, pthread_spin_lock, (pthread_spinlock_t * lock), (lock), noexcept)
SLUICE_WATCH_WAIT(int, pthread_cond_wait, (pthread_cond_t * condition, pthread_mutex_t* mutex),
                  (condition, mutex))
SLUICE_WATCH_WAIT(int, pthread_cond_timedwait,
                  (pthread_cond_t * condition, pthread_mutex_t* mutex, const timespec* until),
                  (condition, mutex, until))
SLUICE_WATCH_WAIT(int, pthread_cond_clockwait,
                  (pthread_cond_t * condition, pthread_mutex_t* mutex, clockid_t clock,
                   const timespec* until),
                  (condition, mutex, clock, until))
SLUICE_WATCH(int, pthread_create,
             (pthread_t * thread, const pthread_attr_t* attributes, void* (*start)(void*),
              void* argument),
             (thread, attributes, start, argument), noexcept)
SLUICE_WATCH_WAIT(int, pthread_join, (pthread_t thread, void** result), (thread, result))
SLUICE_WATCH_WAIT(int, sem_wait, (sem_t * semaphore), (semaphore))
SLUICE_WATCH_WAIT(int, sem_timedwait, (sem_t * semaphore, const timespec* until),
                  (semaphore, until))

SLUICE_WATCH(ssize_t, read, (int descriptor, void* data, size_t bytes), (descriptor, data, bytes))
SLUICE_WATCH(ssize_t, write, (int descriptor, const void* data, size_t bytes),
             (descriptor, data, bytes))
SLUICE_WATCH(ssize_t, pread, (int descriptor, void* data, size_t bytes, off_t offset),
             (descriptor, data, bytes, offset))
SLUICE_WATCH(ssize_t, pwrite, (int descriptor, const void* data, size_t bytes, off_t offset),
             (descriptor, data, bytes, offset))
SLUICE_WATCH(ssize_t, readv, (int descriptor, const iovec* parts, int count),
             (descriptor, parts, count))
SLUICE_WATCH(ssize_t, writev, (int descriptor, const iovec* parts, int count),
             (descriptor, parts, count))
SLUICE_WATCH(int, close, (int descriptor), (descriptor))
SLUICE_WATCH(int, fsync, (int descriptor), (descriptor))
SLUICE_WATCH(int, fdatasync, (int descriptor), (descriptor))
SLUICE_WATCH(int, creat, (const char* path, mode_t mode), (path, mode))
SLUICE_WATCH(int, unlink, (const char* path), (path), noexcept)
SLUICE_WATCH(void*, mmap,
             (void* address, size_t bytes, int protection, int flags, int descriptor, off_t offset),
             (address, bytes, protection, flags, descriptor, offset), noexcept)
SLUICE_WATCH(int, munmap, (void* address, size_t bytes), (address, bytes), noexcept)

SLUICE_WATCH(FILE*, fopen, (const char* path, const char* mode), (path, mode))
SLUICE_WATCH(FILE*, fopen64, (const char* path, const char* mode), (path, mode))
SLUICE_WATCH(FILE*, fdopen, (int descriptor, const char* mode), (descriptor, mode), noexcept)
SLUICE_WATCH(int, fclose, (FILE * file), (file))
SLUICE_WATCH(int, fflush, (FILE * file), (file))
SLUICE_WATCH(size_t, fread, (void* data, size_t bytes, size_t count, FILE* file),
             (data, bytes, count, file))
SLUICE_WATCH(size_t, fwrite, (const void* data, size_t bytes, size_t count, FILE* file),
             (data, bytes, count, file))
SLUICE_WATCH(int, fputs, (const char* text, FILE* file), (text, file))
SLUICE_WATCH(int, fputc, (int byte, FILE* file), (byte, file))
SLUICE_WATCH(int, puts, (const char* text), (text))
SLUICE_WATCH(int, putchar, (int byte), (byte))

SLUICE_WATCH(int, socket, (int domain, int type, int protocol), (domain, type, protocol), noexcept)
SLUICE_WATCH_WAIT(int, connect, (int descriptor, const sockaddr* address, socklen_t bytes),
                  (descriptor, address, bytes))
SLUICE_WATCH_WAIT(int, accept4, (int descriptor, sockaddr* address, socklen_t* bytes, int flags),
                  (descriptor, address, bytes, flags))
SLUICE_WATCH(ssize_t, send, (int descriptor, const void* data, size_t bytes, int flags),
             (descriptor, data, bytes, flags))
SLUICE_WATCH(ssize_t, sendto,
             (int descriptor, const void* data, size_t bytes, int flags, const sockaddr* address,
              socklen_t address_bytes),
             (descriptor, data, bytes, flags, address, address_bytes))
SLUICE_WATCH(ssize_t, sendmsg, (int descriptor, const msghdr* message, int flags),
             (descriptor, message, flags))
SLUICE_WATCH_WAIT(ssize_t, recv, (int descriptor, void* data, size_t bytes, int flags),
                  (descriptor, data, bytes, flags))
SLUICE_WATCH_WAIT(ssize_t, recvfrom,
                  (int descriptor, void* data, size_t bytes, int flags, sockaddr* address,
                   socklen_t* address_bytes),
                  (descriptor, data, bytes, flags, address, address_bytes))
SLUICE_WATCH_WAIT(ssize_t, recvmsg, (int descriptor, msghdr* message, int flags),
                  (descriptor, message, flags))
SLUICE_WATCH_WAIT(int, getaddrinfo,
                  (const char* name, const char* service, const addrinfo* hints,
                   addrinfo** results),
                  (name, service, hints, results))

SLUICE_WATCH_WAIT(int, poll, (pollfd * descriptors, nfds_t count, int timeout_ms),
                  (descriptors, count, timeout_ms))
SLUICE_WATCH_WAIT(int, ppoll,
                  (pollfd * descriptors, nfds_t count, const timespec* timeout,
                   const sigset_t* mask),
                  (descriptors, count, timeout, mask))
SLUICE_WATCH_WAIT(int, select,
                  (int count, fd_set* readable, fd_set* writable, fd_set* broken, timeval* timeout),
                  (count, readable, writable, broken, timeout))
SLUICE_WATCH_WAIT(int, epoll_wait, (int descriptor, epoll_event* events, int count, int timeout_ms),
                  (descriptor, events, count, timeout_ms))
SLUICE_WATCH_WAIT(int, nanosleep, (const timespec* duration, timespec* left), (duration, left))
SLUICE_WATCH_WAIT(int, clock_nanosleep,
                  (clockid_t clock, int flags, const timespec* until, timespec* left),
                  (clock, flags, until, left))
SLUICE_WATCH_WAIT(int, usleep, (useconds_t duration_us), (duration_us))
SLUICE_WATCH_WAIT(unsigned, sleep, (unsigned duration_s), (duration_s))
SLUICE_WATCH(int, sched_yield, (), (), noexcept)

SLUICE_WATCH(void*, dlopen, (const char* path, int mode), (path, mode), noexcept)
SLUICE_WATCH(char*, getenv, (const char* name), (name), noexcept)
SLUICE_WATCH(int, vfprintf, (FILE * file, const char* format, va_list arguments),
             (file, format, arguments))

// With arguments of their own number.

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  static constinit std::atomic<int (*)(const char*, int, ...)> known{};
  check("open");
  return SLUICE_ORIGINAL(open, known)(path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  static constinit std::atomic<int (*)(const char*, int, ...)> known{};
  check("open64");
  return SLUICE_ORIGINAL(open64, known)(path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  static constinit std::atomic<int (*)(int, const char*, int, ...)> known{};
  check("openat");
  return SLUICE_ORIGINAL(openat, known)(folder, path, flags, mode);
}
int ioctl(int descriptor, unsigned long request, ...) noexcept {
  va_list rest;
  va_start(rest, request);
  void* const argument = va_arg(rest, void*);
  va_end(rest);
  static constinit std::atomic<int (*)(int, unsigned long, ...)> known{};
  check("ioctl");
  return SLUICE_ORIGINAL(ioctl, known)(descriptor, request, argument);
}
long syscall(long number, ...) noexcept {
  va_list rest;
  va_start(rest, number);
  std::array<long, 6> arguments{};
  for (long& argument : arguments) argument = va_arg(rest, long);
  va_end(rest);
  static constinit std::atomic<long (*)(long, ...)> known{};
  check("syscall");
  return SLUICE_ORIGINAL(syscall, known)(number, arguments[0], arguments[1], arguments[2],
                                         arguments[3], arguments[4], arguments[5]);
}
int printf(const char* format, ...) {
  check("printf");
  va_list arguments;
  va_start(arguments, format);
  const sluice::support::AudioSectionPause pause;
  const int bytes = vfprintf(stdout, format, arguments);
  va_end(arguments);
  return bytes;
}
int fprintf(FILE* file, const char* format, ...) {
  check("fprintf");
  va_list arguments;
  va_start(arguments, format);
  const sluice::support::AudioSectionPause pause;
  const int bytes = vfprintf(file, format, arguments);
  va_end(arguments);
  return bytes;
}

}  // extern "C"

#endif
