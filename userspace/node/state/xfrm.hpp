// The IPsec policies and states (SAs) of the calling thread's network namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/address.hpp"
#include "model/result.hpp"

namespace dptrace {

/// What a policy demands of packets that its selector takes.
struct XfrmTemplate {
  std::uint8_t protocol = 0;             ///< IPPROTO_ESP, IPPROTO_AH, IPPROTO_COMP
  std::uint32_t reqid = 0;               ///< 0: any
  std::optional<Address> destination{};  ///< of the outer packet; nothing: the packet's own
  bool is_optional = false;
};

struct XfrmPolicy {
  std::uint8_t direction = 0;  ///< XFRM_POLICY_IN, XFRM_POLICY_OUT, XFRM_POLICY_FWD
  bool blocks = false;         ///< it lets nothing pass
  std::uint32_t priority = 0;  ///< the lower counts
  Address source{}, destination{};
  std::uint8_t source_length = 0, destination_length = 0;  ///< of the prefixes, in bits
  /// It demands more of a packet than its addresses: a protocol, ports, a mark, a device.
  bool is_narrow = false;
  std::vector<XfrmTemplate> templates{};

  /// `src 10.244.2.0/24 dst 10.244.1.0/24 dir fwd`, as `ip xfrm policy` takes it.
  std::string words() const;
};

struct XfrmState {
  Address destination{};
  std::uint8_t protocol = 0;
  std::uint32_t reqid = 0;
};

/// The first `most` policies; an empty list where the kernel has no IPsec.
Result<std::vector<XfrmPolicy>> read_xfrm_policies(std::uint8_t family, std::size_t most);
/// The first `most` states.
Result<std::vector<XfrmState>> read_xfrm_states(std::size_t most);

/// `esp`, `ah`, `comp`; the number for others.
std::string xfrm_protocol(std::uint8_t protocol);

}  // namespace dptrace
