#include "timeline/heard.hpp"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "model/flow.hpp"

namespace dptrace {

namespace {

// Stands for all who sent an ICMP error.
constexpr dpt_address kAnybody{};

// Of the other messages that are no echoes, neighbour discovery says nothing of what was asked.
bool is_icmp_error(const dpt_flow& flow) {
  constexpr std::array<std::uint8_t, 5> kErrors = {
      ICMP_DEST_UNREACH, ICMP_SOURCE_QUENCH, ICMP_REDIRECT, ICMP_TIME_EXCEEDED, ICMP_PARAMETERPROB};
  const std::uint8_t type = flow.l4.icmp.type;
  if (flow.protocol == IPPROTO_ICMPV6) return !(type & ICMP6_INFOMSG_MASK);
  return flow.protocol == IPPROTO_ICMP && std::ranges::find(kErrors, type) != kErrors.end();
}

}  // namespace

Heard::Pair Heard::pair_of(const dpt_address& from, const dpt_address& to) {
  Pair pair;
  std::memcpy(pair.data(), &from, sizeof from);
  std::memcpy(pair.data() + sizeof from, &to, sizeof to);
  return pair;
}

void Heard::note(const dpt_flow& flow, std::uint64_t time_ns, bool as_it_came) {
  const Pair pair = pair_of(is_icmp_error(flow) ? kAnybody : flow.source, flow.destination);
  const Sent* before = pairs_.find(pair);
  pairs_.put(pair, {time_ns, as_it_came || (before != nullptr && before->as_it_came)});
}

bool Heard::has_answered(const dpt_flow& flow, std::uint64_t since_ns) const {
  const auto was_sent = [&](const dpt_address& by) {
    const Sent* sent = pairs_.find(pair_of(by, flow.source));
    return sent != nullptr && sent->last_ns >= since_ns;
  };
  return was_sent(flow.destination) || was_sent(kAnybody);
}

bool Heard::reaches(const dpt_flow& flow) const {
  const Sent* sent = pairs_.find(pair_of(flow.destination, flow.source));
  return sent != nullptr && sent->as_it_came;
}

}  // namespace dptrace
