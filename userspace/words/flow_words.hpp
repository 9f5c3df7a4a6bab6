// A flow in words is `ICMP echo reply 10.244.19.28 → 10.244.6.0 id 11493 seq 1, 84 bytes`.
#pragma once

#include "dptrace/event.h"
#include "model/names.hpp"
#include "words/style.hpp"

namespace dptrace {

/// The words, and the places where they may be broken when a line has no room for all of them.
struct FlowWords {
  Buffer text;
  std::size_t destination = 0;  ///< where ` → 10.244.6.0` starts
  std::size_t details = 0;      ///< where ` id 11493 seq 1` starts
};

/// Replaces what `words` held. Tells also the pods that had the addresses at `at_ns`
/// (CLOCK_MONOTONIC, ns).
void write_flow(FlowWords& words, const dpt_flow& flow, const Names& names, std::uint64_t at_ns);

/// The tuple after NAT: `10.1.2.2:8080 (default/web) → 10.244.1.2:40112`. An end that is the same
/// in `before` is told without its pod, since that was told already. `before` may be null.
void append_new_tuple(Buffer& out, const dpt_flow& flow, const dpt_flow* before, const Names& names,
                      std::uint64_t at_ns);

/// `10.244.1.3`, `fd00::1`.
void append_address(Buffer& out, const dpt_address& address);

/// `VXLAN id 1 10.162.0.7 → 10.162.0.6`.
void append_tunnel(Buffer& out, const dpt_tunnel& tunnel);
/// `VXLAN`
std::string_view tunnel_word(std::uint8_t kind);

}  // namespace dptrace
