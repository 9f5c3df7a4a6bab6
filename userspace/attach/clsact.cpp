#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <set>
#include <thread>

#include "attach/clsact_qdisc.hpp"
#include "attach/filter_dump.hpp"
#include "attach/owner.hpp"
#include "attach/tc.hpp"
#include "os/deleter.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

namespace {

// The priority is rather early, yet neither one that people write down nor one that "tc filter add"
// chooses by itself (49152, or one below the lowest there is).
constexpr std::uint32_t kPriority = 3479;
// The bit is set in a filter's handle when dptrace made the qdisc, so that the last of its filters
// takes the qdisc along.
constexpr std::uint32_t kMadeQdisc = 0x40000000;

bool is_ours(const TcFilter& filter) {
  return filter.kind == "bpf" && filter.priority == kPriority &&
         filter.program.starts_with(kOwnPrograms);
}

bpf_tc_hook hook_of(std::uint32_t ifindex, bpf_tc_attach_point point) {
  bpf_tc_hook hook{};
  hook.sz = sizeof hook;
  hook.ifindex = static_cast<int>(ifindex);
  hook.attach_point = point;
  return hook;
}

void remove_filter(std::uint32_t ifindex, bpf_tc_attach_point point, std::uint32_t handle) {
  const auto hook = hook_of(ifindex, point);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = kPriority);
  bpf_tc_detach(&hook, &options);
}

struct BothDirections {
  std::vector<TcFilter> in;
  std::vector<TcFilter> out;

  bool empty() const { return in.empty() && out.empty(); }
  template <typename Predicate>
  bool any(Predicate predicate) const {
    return std::any_of(in.begin(), in.end(), predicate) ||
           std::any_of(out.begin(), out.end(), predicate);
  }
};

Result<BothDirections> filters_of(std::uint32_t ifindex) {
  auto in = dump_filters(ifindex, TcDirection::kIngress);
  if (!in) return tl::unexpected(in.error());
  auto out = dump_filters(ifindex, TcDirection::kEgress);
  if (!out) return tl::unexpected(out.error());
  return BothDirections{std::move(*in), std::move(*out)};
}

void remove_empty_qdisc(std::uint32_t ifindex) {
  const auto left = filters_of(ifindex);
  if (left && left->empty()) remove_clsact_qdisc(ifindex);
}

bool is_of(const TcFilter& filter, const std::set<std::uint32_t>& owners) {
  return is_ours(filter) && owners.contains(filter.handle & ~kMadeQdisc);
}

// Removes the filters of these owners (handles without kMadeQdisc) and, with the last of them, a
// qdisc of our making.
int remove_filters(std::uint32_t ifindex, const std::set<std::uint32_t>& owners) {
  const auto filters = filters_of(ifindex);
  if (!filters || filters->empty()) return 0;
  const bool made_qdisc = filters->any([&](const TcFilter& filter) {
    return is_of(filter, owners) && (filter.handle & kMadeQdisc) != 0;
  });
  const auto count = [&](const std::vector<TcFilter>& list) {
    return std::count_if(list.begin(), list.end(),
                         [&](const TcFilter& filter) { return is_of(filter, owners); });
  };
  const auto removed = static_cast<int>(count(filters->in) + count(filters->out));
  // No filter of somebody else is on the qdisc: all goes in one step, which others wait for least.
  if (made_qdisc && !filters->any([&](const TcFilter& filter) { return !is_of(filter, owners); })) {
    remove_clsact_qdisc(ifindex);
    return removed;
  }
  const auto remove = [&](const std::vector<TcFilter>& list, bpf_tc_attach_point point) {
    for (const auto& filter : list) {
      if (is_of(filter, owners)) remove_filter(ifindex, point, filter.handle);
    }
  };
  remove(filters->in, BPF_TC_INGRESS);
  remove(filters->out, BPF_TC_EGRESS);
  if (made_qdisc) remove_empty_qdisc(ifindex);
  return removed;
}

// Removes qdiscs that were made, and lost their owner before the first filter came or after the
// last one had gone.
void remove_empty_qdiscs_of(std::uint32_t owner) {
  const auto marked = marked_qdiscs();
  if (!marked) return;
  for (const auto& qdisc : *marked) {
    if (qdisc.owner == owner) remove_empty_qdisc(qdisc.ifindex);
  }
}

std::vector<std::uint32_t> all_interfaces() {
  std::vector<std::uint32_t> indices;
  const std::unique_ptr<struct if_nameindex, Deleter<if_freenameindex>> list(if_nameindex());
  for (const auto* entry = list.get(); entry != nullptr && entry->if_index != 0; ++entry) {
    indices.push_back(entry->if_index);
  }
  return indices;
}

// Watcher waits in a child process: however the parent dies, its filters are removed at once.
class Watcher {
 public:
  explicit Watcher(std::uint32_t owner) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    OwnedFd read_end(ends[0]);
    write_end_ = OwnedFd(ends[1]);
    // A signal to the process group must not meet the child before it ignores signals.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    child_ = fork();
    if (child_ == 0) watch(read_end.get(), owner);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  ~Watcher() {
    if (child_ <= 0) return;
    constexpr char kNothingToDo = 'q';
    (void)!write(write_end_.get(), &kNothingToDo, 1);
    waitpid(child_, nullptr, 0);
  }

 private:
  [[noreturn]] static void watch(int read_end, std::uint32_t owner) {
    setsid();
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(signal, SIG_IGN);
    // The name is none that `pkill dptrace` finds.
    prctl(PR_SET_NAME, "dpt-clean");
    // The parent's BPF objects, sockets and output must not live on here.
    if (dup2(read_end, 0) != 0) _exit(1);
    syscall(SYS_close_range, 3U, ~0U, 0U);
    close(1);
    close(2);
    char what = 0;
    ssize_t got = 0;
    while ((got = read(0, &what, 1)) < 0 && errno == EINTR) {
    }
    if (got == 0) {
      const std::set<std::uint32_t> owners = {owner};
      for (const auto ifindex : all_interfaces()) remove_filters(ifindex, owners);
      remove_empty_qdiscs_of(owner);
    }
    _exit(0);
  }

  OwnedFd write_end_;
  pid_t child_ = -1;
};

class Clsact final : public Tc {
 public:
  explicit Clsact(TcPrograms programs) : programs_(programs) {}
  ~Clsact() override {
    for (const auto ifindex : attached_) remove_filters(ifindex, {ownership_->number});
  }

  std::optional<std::set<std::uint32_t>> undisturbed() const override {
    auto devices = devices_with_clsact();
    return devices ? std::move(*devices) : std::set<std::uint32_t>();
  }

  // The trial is in a new netns, which is the thread's alone and goes with it, and whose loopback
  // device sends nothing.
  std::string trial() const override {
    std::string refusal;
    std::thread([&] {
      if (unshare(CLONE_NEWNET) != 0) return;
      constexpr std::uint32_t kLoopback = 1;
      if (const auto made = make_clsact_qdisc(kLoopback, 0); !made) {
        refusal = made.error().message;
      } else if (const int error = add(kLoopback, BPF_TC_INGRESS, programs_.l2_in, 1); error != 0) {
        refusal = fmt::format("attaching tc programs: {}", std::strerror(-error));
      }
    }).join();
    return refusal;
  }

  Result<> attach(std::uint32_t ifindex, bool l2) override {
    if (!l2 && programs_.l3_in < 0) return failure(kNoneAtStart);
    if (auto claimed = claim(); !claimed) return claimed;
    const std::uint32_t owner = ownership_->number;
    const auto present = filters_of(ifindex);
    if (!present) return tl::unexpected(present.error());
    // Filters of somebody else would run before ours or after, and with "ok" end the row. The
    // tracepoints see the device all the same.
    if (present->any([](const TcFilter& filter) { return !is_ours(filter); })) {
      return failure("it has tc filters of somebody else");
    }
    const auto qdisc = make_clsact_qdisc(ifindex, owner);
    if (!qdisc) return tl::unexpected(qdisc.error());
    const bool made = *qdisc == QdiscMade::kMade || present->any([](const TcFilter& filter) {
      return (filter.handle & kMadeQdisc) != 0;
    });
    attached_.insert(ifindex);
    const std::uint32_t handle = owner | (made ? kMadeQdisc : 0);
    int error = add(ifindex, BPF_TC_INGRESS, l2 ? programs_.l2_in : programs_.l3_in, handle);
    if (error == 0)
      error = add(ifindex, BPF_TC_EGRESS, l2 ? programs_.l2_out : programs_.l3_out, handle);
    if (error == 0) return {};
    detach(ifindex);
    // Without a filter the qdisc has no use.
    if (*qdisc == QdiscMade::kMade) remove_empty_qdisc(ifindex);
    return failure(
        fmt::format("attaching tc programs to interface {}: {}", ifindex, std::strerror(-error)));
  }

  std::string what_is_wrong(std::uint32_t ifindex) const override {
    if (!attached_.contains(ifindex)) return {};
    const auto present = filters_of(ifindex);
    if (!present) return {};  // the device is going
    const auto is_own = [this](const TcFilter& filter) {
      return is_ours(filter) && (filter.handle & ~kMadeQdisc) == ownership_->number;
    };
    if (std::none_of(present->in.begin(), present->in.end(), is_own) ||
        std::none_of(present->out.begin(), present->out.end(), is_own))
      return "somebody has removed dptrace's tc filters";
    if (present->any([](const TcFilter& filter) { return !is_ours(filter); }))
      return "somebody has added tc filters";
    return {};
  }

  void detach(std::uint32_t ifindex) override {
    if (attached_.erase(ifindex) != 0) remove_filters(ifindex, {ownership_->number});
  }

 private:
  struct Ownership {
    explicit Ownership(OwnerClaim own)
        : claim(std::move(own)), number(claim.number()), watcher(number) {}
    const OwnerClaim claim;
    const std::uint32_t number;
    const Watcher watcher;
  };

  // Claims an owner's number, not before there is something to own.
  Result<> claim() {
    if (ownership_) return {};
    auto claim = OwnerClaim::make();
    if (!claim) return tl::unexpected(claim.error());
    ownership_.emplace(std::move(*claim));
    return {};
  }

  static int add(std::uint32_t ifindex, bpf_tc_attach_point point, int program,
                 std::uint32_t handle) {
    const auto hook = hook_of(ifindex, point);
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .handle = handle, .priority = kPriority);
    return bpf_tc_attach(&hook, &options);
  }

  const TcPrograms programs_;
  std::optional<Ownership> ownership_;
  std::set<std::uint32_t> attached_;
};

}  // namespace

std::unique_ptr<Tc> make_clsact(TcPrograms programs) { return std::make_unique<Clsact>(programs); }

Result<int> remove_stale_filters() {
  int removed = 0;
  const auto interfaces = all_interfaces();
  // A dptrace that attaches after this look is alive, and its filters are not in `owners`.
  std::map<std::uint32_t, std::set<std::uint32_t>> owners;
  for (const auto ifindex : interfaces) {
    const auto filters = filters_of(ifindex);
    if (!filters) {
      std::array<char, IF_NAMESIZE> name{};
      if (if_indextoname(ifindex, name.data()) == nullptr) continue;  // the device has just gone
      return tl::unexpected(filters.error());
    }
    filters->any([&](const TcFilter& filter) {
      if (is_ours(filter)) owners[ifindex].insert(filter.handle & ~kMadeQdisc);
      return false;
    });
  }
  const auto marked = marked_qdiscs();
  if (!marked) return tl::unexpected(marked.error());
  const auto living = living_owners();
  if (!living) return tl::unexpected(living.error());
  for (auto& [ifindex, dead] : owners) {
    std::erase_if(dead, [&](std::uint32_t owner) { return living->contains(owner); });
    if (!dead.empty()) removed += remove_filters(ifindex, dead);
  }
  for (const auto& qdisc : *marked) {
    if (!living->contains(qdisc.owner)) remove_empty_qdisc(qdisc.ifindex);
  }
  return removed;
}

}  // namespace dptrace
