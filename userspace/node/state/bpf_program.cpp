#include "node/state/bpf_program.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cerrno>

#include "model/foreign.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

namespace {

// These numbers are from the kernel's uapi of 6.6; Debian 12's headers are older.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);

struct Agent {
  std::string_view prefix;  // of its programs' names
  std::string_view name;
};
// Older versions of Cilium name a tc filter after the object file that its program is from.
constexpr std::array kAgents = {Agent{"cil_", "Cilium"},        Agent{"bpf_lxc", "Cilium"},
                                Agent{"bpf_host", "Cilium"},    Agent{"bpf_netdev", "Cilium"},
                                Agent{"bpf_xdp", "Cilium"},     Agent{"bpf_network", "Cilium"},
                                Agent{"bpf_overlay", "Cilium"}, Agent{"cali", "Calico"}};

}  // namespace

std::optional<std::string> bpf_program_name(std::uint32_t id) {
  const OwnedFd program(bpf_prog_get_fd_by_id(id));
  if (!program) return {};
  bpf_prog_info info{};
  std::uint32_t size = sizeof info;
  if (bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) return {};
  const std::string_view name(info.name, sizeof info.name);
  return clean_name(name.substr(0, name.find('\0')));
}

std::optional<std::vector<std::uint32_t>> tcx_programs(std::uint32_t device,
                                                       TcxDirection direction) {
  constexpr std::size_t kMost = 64;  // the kernel allows no more
  std::vector<std::uint32_t> programs(kMost);
  LIBBPF_OPTS(bpf_prog_query_opts, options, .prog_ids = programs.data(), .prog_cnt = kMost);
  const auto type = direction == TcxDirection::kIngress ? kTcxIngress : kTcxEgress;
  const int error = bpf_prog_query_opts(static_cast<int>(device), type, &options);
  // A kernel without tcx does not know the type.
  if (error == -EINVAL) return std::vector<std::uint32_t>();
  if (error != 0) return {};
  programs.resize(options.prog_cnt);
  return programs;
}

std::optional<XdpPrograms> xdp_programs(std::uint32_t device) {
  LIBBPF_OPTS(bpf_xdp_query_opts, options);
  if (bpf_xdp_query(static_cast<int>(device), 0, &options) != 0) return {};
  return XdpPrograms{options.skb_prog_id, options.drv_prog_id};
}

std::optional<bool> is_held_by_xdp_link(std::uint32_t program) {
  std::uint32_t id = 0;
  for (;;) {
    const int error = bpf_link_get_next_id(id, &id);
    if (error == -ENOENT) return false;
    if (error != 0) return {};
    const OwnedFd link(bpf_link_get_fd_by_id(id));
    if (!link) continue;  // it has just gone
    bpf_link_info info{};
    std::uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(link.get(), &info, &size) != 0) return {};
    if (info.type == BPF_LINK_TYPE_XDP && info.prog_id == program) return true;
  }
}

std::string_view agent_of_program(std::string_view name) {
  for (const Agent& agent : kAgents) {
    if (name.starts_with(agent.prefix)) return agent.name;
  }
  return {};
}

}  // namespace dptrace
