#include <bpf/bpf.h>
#include <fmt/format.h>
#include <net/if_arp.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "attach/tc.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

namespace {

// These numbers are from the kernel's uapi of 6.6; Debian 12's headers and libbpf are older.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);
constexpr std::uint32_t kBefore = 1U << 3;

class Tcx final : public Tc {
 public:
  explicit Tcx(TcPrograms programs) : programs_(programs) {}

  std::optional<std::set<std::uint32_t>> undisturbed() const override { return std::nullopt; }

  // The devices are tried themselves, which costs them nothing.
  std::string trial() const override { return {}; }

  Result<> attach(std::uint32_t ifindex, bool l2) override {
    if (!l2 && programs_.l3_in < 0) return failure(kNoneAtStart);
    Links links{link(l2 ? programs_.l2_in : programs_.l3_in, ifindex, kTcxIngress),
                link(l2 ? programs_.l2_out : programs_.l3_out, ifindex, kTcxEgress)};
    if (!links.in || !links.out) {
      return failure(
          fmt::format("attaching tc programs to interface {}: {}", ifindex, std::strerror(errno)));
    }
    links_[ifindex] = std::move(links);
    return {};
  }

  // Our programs are before whatever is there, and nobody has a name to take them away by.
  std::string what_is_wrong(std::uint32_t) const override { return {}; }

  void detach(std::uint32_t ifindex) override { links_.erase(ifindex); }

 private:
  struct Links {
    OwnedFd in;
    OwnedFd out;
  };

  static OwnedFd link(int program, std::uint32_t ifindex, bpf_attach_type type) {
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = kBefore);
    return OwnedFd(bpf_link_create(program, static_cast<int>(ifindex), type, &options));
  }

  const TcPrograms programs_;
  std::map<std::uint32_t, Links> links_;
};

}  // namespace

std::unique_ptr<Tc> make_tcx(TcPrograms programs) { return std::make_unique<Tcx>(programs); }

}  // namespace dptrace
