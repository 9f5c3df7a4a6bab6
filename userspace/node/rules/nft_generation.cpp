#include "node/rules/nft_generation.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <cstring>
#include <optional>

#include "node/netlink.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kAnswerBytes = 8192;

int note_generation(const nlmsghdr* message, void* context) {
  for_each_attribute(message, sizeof(nfgenmsg), [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == NFTA_GEN_ID && mnl_attr_get_payload_len(attribute) == 4)
      *static_cast<std::optional<std::uint32_t>*>(context) = ntohl(mnl_attr_get_u32(attribute));
  });
  return MNL_CB_OK;
}

Error unanswered() {
  return {fmt::format("asking for the generation of nftables: {}", std::strerror(errno))};
}

}  // namespace

Result<std::uint32_t> nft_generation() {
  const auto socket = open_netlink(NETLINK_NETFILTER);
  if (!socket) return tl::unexpected(unanswered());
  alignas(nlmsghdr) std::array<char, kAnswerBytes> buffer{};
  auto* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
  request->nlmsg_flags = NLM_F_REQUEST;
  auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(nfgenmsg)));
  header->nfgen_family = AF_UNSPEC;
  header->version = NFNETLINK_V0;
  if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0)
    return tl::unexpected(unanswered());
  const auto length = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
  std::optional<std::uint32_t> generation;
  if (length < 0 || mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), 0, 0,
                               note_generation, &generation) < 0)
    return tl::unexpected(unanswered());
  if (!generation) return failure("the kernel does not tell the generation of nftables");
  return *generation;
}

}  // namespace dptrace
