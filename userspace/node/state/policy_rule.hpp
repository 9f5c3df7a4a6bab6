// The rules of policy routing (`ip rule`) of the calling thread's network namespace, in the order
// in which the kernel asks them. The three that every namespace has are left out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/address.hpp"
#include "model/result.hpp"

namespace dptrace {

struct PolicyRule {
  std::uint32_t priority = 0;
  std::uint8_t action = 0;  ///< FR_ACT_*
  std::uint32_t table = 0;  ///< for FR_ACT_TO_TBL
  Address source{}, destination{};
  std::uint8_t source_length = 0, destination_length = 0;  ///< bits; 0: any
  std::string input{};                                     ///< the device it came in by; empty: any
  std::uint32_t mark = 0, mask = 0;
  bool inverted = false;   ///< it is for the packets that do not match
  bool asks_more = false;  ///< it also looks at what is not here: ports, users, the output device
};

struct PolicyQuestion {
  Address source, destination;
  std::string input;
  std::uint32_t mark = 0;
};

/// `family` is AF_INET or AF_INET6.
Result<std::vector<PolicyRule>> read_policy_rules(std::uint8_t family);

/// True when the rule is surely for the packet.
bool is_for(const PolicyRule& rule, const PolicyQuestion& packet);

/// `ip rule 100: from 10.244.0.0/16 fwmark 0x1/0xff lookup 77`.
std::string policy_text(const PolicyRule& rule);

}  // namespace dptrace
