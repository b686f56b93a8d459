#include "host/isolate/sandbox.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace sluice::isolate {
namespace {

// ---- Files: Landlock (landlock(7))

// Rights that came later than the headers of the oldest system this is built on.
constexpr uint64_t kRefer = 1ULL << 13U;     // version 2
constexpr uint64_t kTruncate = 1ULL << 14U;  // version 3

constexpr uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr uint64_t kWriteFile = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr uint64_t kReplace =
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_FIFO;

class Landlock {
 public:
  Landlock() {
    const long version =
        syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) return;
    handled_ = (1ULL << 13U) - 1;
    if (version >= 2) handled_ |= kRefer;
    if (version >= 3) handled_ |= kTruncate;
    landlock_ruleset_attr attributes{};
    attributes.handled_access_fs = handled_;
    ruleset_ = static_cast<int>(
        syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0));
  }
  ~Landlock() {
    if (ruleset_ >= 0) ::close(ruleset_);
  }
  Landlock(const Landlock&) = delete;
  Landlock& operator=(const Landlock&) = delete;

  // What is not there cannot be allowed, which is as well.
  void allow(const std::string& path, uint64_t rights) const {
    if (ruleset_ < 0 || path.empty()) return;
    const int descriptor = open(path.c_str(), O_PATH | O_CLOEXEC);
    if (descriptor < 0) return;
    struct stat status {};
    const bool is_folder = fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
    landlock_path_beneath_attr rule{};
    rule.parent_fd = descriptor;
    rule.allowed_access = rights & handled_;
    if (!is_folder) rule.allowed_access &= kWriteFile | LANDLOCK_ACCESS_FS_EXECUTE | kTruncate;
    syscall(SYS_landlock_add_rule, ruleset_, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    ::close(descriptor);
  }
  bool restrict_self() const {
    return ruleset_ >= 0 && syscall(SYS_landlock_restrict_self, ruleset_, 0) == 0;
  }

 private:
  uint64_t handled_ = 0;
  int ruleset_ = -1;
};

void allow_folders(const Landlock& landlock, const char* list, uint64_t rights) {
  std::string_view left = list ? list : "";
  while (!left.empty()) {
    const size_t colon = std::min(left.find(':'), left.size());
    landlock.allow(std::string(left.substr(0, colon)), rights);
    left.remove_prefix(std::min(colon + 1, left.size()));
  }
}

bool confine_files(const Permissions& permissions) {
  const Landlock landlock;
  for (const char* path : {"/usr", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache",
                           "/etc/localtime", "/sys/devices/system/cpu", "/proc/self"}) {
    landlock.allow(path, kRead | LANDLOCK_ACCESS_FS_EXECUTE);
  }
  // Where plugins of other kinds lie, which a plugin of ours may be asked to load.
  const char* const home = getenv("HOME");
  const std::string at_home = home ? std::string(home) + "/.lv2:" + home + "/.ladspa" : "";
  const char* const lists[] = {getenv("LD_LIBRARY_PATH"), getenv("LV2_PATH"), getenv("LADSPA_PATH"),
                               at_home.c_str()};
  for (const char* const list : lists) {
    allow_folders(landlock, list, kRead | LANDLOCK_ACCESS_FS_EXECUTE);
  }
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}) {
    landlock.allow(path, kWriteFile | kTruncate);
  }
  for (const std::string& path : permissions.read) {
    landlock.allow(path, kRead | LANDLOCK_ACCESS_FS_EXECUTE);
  }
  for (const std::string& path : permissions.write) {
    struct stat status {};
    const bool is_special = stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
    if (is_special) {
      landlock.allow(path, kWriteFile);
      continue;
    }
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    landlock.allow(folder.empty() ? "." : folder.string(),
                   kWriteFile | kReplace | kTruncate | kReadFile);
  }
  return landlock.restrict_self();
}

// ---- System calls: seccomp(2)

#if defined(__x86_64__)
constexpr uint32_t kMachine = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kMachine = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t kMachine = 0;
#endif

constexpr uint32_t kRefused = SECCOMP_RET_ERRNO | EPERM;

// Other programs and processes, the machine, and what lies behind Landlock's back.
constexpr int kForbidden[] = {
#ifdef SYS_fork
    SYS_fork,
#endif
#ifdef SYS_vfork
    SYS_vfork,
#endif
#ifdef SYS_chmod
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
#endif
#ifdef SYS_userfaultfd
    SYS_userfaultfd,
#endif
#ifdef SYS_io_uring_setup
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
#endif
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_pidfd_send_signal,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_tkill,
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_open_by_handle_at,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_reboot,
    SYS_kexec_load,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_fchmodat,
    SYS_fchownat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsmount,
    SYS_mount_setattr};

class Filter {
 public:
  void load(size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset), 0, 0); }
  void load_argument(int index) {
    // Little-endian machines: the low half comes first.
    load(offsetof(seccomp_data, args) + static_cast<size_t>(index) * sizeof(uint64_t));
  }
  void answer(uint32_t what) { add(BPF_RET | BPF_K, what, 0, 0); }
  // Skips `others` instructions unless what was loaded is `value`.
  void unless_equal(uint32_t value, uint8_t others) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, others);
  }
  void if_equal(uint32_t value, uint8_t others) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, others, 0);
  }
  void if_any_bit(uint32_t bits, uint8_t others) {
    add(BPF_JMP | BPF_JSET | BPF_K, bits, others, 0);
  }
  void unless_at_least(uint32_t value, uint8_t others) {
    add(BPF_JMP | BPF_JGE | BPF_K, value, 0, others);
  }
  bool install() {
    const sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
  }

 private:
  void add(int code, uint32_t value, uint8_t on_true, uint8_t on_false) {
    code_.push_back({static_cast<uint16_t>(code), on_true, on_false, value});
  }
  std::vector<sock_filter> code_;
};

// Refuses `number` unless argument `index` is one of `allowed`.
void only_with(Filter& filter, int number, int index, const std::vector<uint32_t>& allowed,
               uint32_t refused) {
  filter.load(offsetof(seccomp_data, nr));
  filter.unless_equal(static_cast<uint32_t>(number), static_cast<uint8_t>(2 + allowed.size()));
  filter.load_argument(index);
  for (size_t i = 0; i < allowed.size(); ++i) {
    filter.if_equal(allowed[i], static_cast<uint8_t>(allowed.size() - i));
  }
  filter.answer(refused);
}

bool confine_calls(bool opens_devices) {
  if (kMachine == 0) return false;
  Filter filter;
  filter.load(offsetof(seccomp_data, arch));
  filter.if_equal(kMachine, 1);
  filter.answer(kRefused);
  filter.load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
  // The calls of the x32 ABI have other numbers.
  filter.unless_at_least(0x40000000U, 1);
  filter.answer(kRefused);
#endif
  for (const int number : kForbidden) {
    filter.unless_equal(static_cast<uint32_t>(number), 1);
    filter.answer(kRefused);
  }
  // glibc then makes threads by clone, whose flags can be seen.
  filter.unless_equal(SYS_clone3, 1);
  filter.answer(SECCOMP_RET_ERRNO | ENOSYS);
  filter.unless_equal(SYS_clone, 3);
  filter.load_argument(0);
  filter.if_any_bit(CLONE_THREAD, 1);
  filter.answer(kRefused);
  const auto own = static_cast<uint32_t>(getpid());
  only_with(filter, SYS_kill, 0, {own, 0}, kRefused);
  only_with(filter, SYS_tgkill, 0, {own}, kRefused);
  only_with(filter, SYS_prlimit64, 0, {0, own}, kRefused);
  const std::vector<uint32_t> families =
      opens_devices ? std::vector<uint32_t>{AF_UNIX} : std::vector<uint32_t>{};
  only_with(filter, SYS_socket, 0, families, SECCOMP_RET_ERRNO | EACCES);
  filter.answer(SECCOMP_RET_ALLOW);
  return filter.install();
}

}  // namespace

std::string confine(const Permissions& permissions) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return "It is not confined: the kernel refuses no_new_privs. It may read, write and connect "
           "like any program of yours.";
  }
  const bool has_files = permissions.opens_devices || confine_files(permissions);
  const bool has_calls = confine_calls(permissions.opens_devices);
  if (has_files && has_calls) return {};
  if (has_calls) {
    return "Files are not kept from it, as this kernel has no Landlock (or has it switched off: "
           "see "
           "/sys/kernel/security/lsm). The network and other processes are.";
  }
  if (has_files) {
    return "The network and other processes are not kept from it, as this kernel refuses a seccomp "
           "filter. Files are.";
  }
  return "It is not confined: this kernel has neither Landlock nor seccomp filters. It may read, "
         "write and connect like any program of yours.";
}

}  // namespace sluice::isolate
