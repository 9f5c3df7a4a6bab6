// A packet that neither arrived nor died was taken over: by a queue, by reassembly, or by an
// encrypting device.
#pragma once

#include "model/names.hpp"
#include "model/packet.hpp"
#include "words/style.hpp"

namespace dptrace {

/// A taker is who may have the packet after a hook with result 0.
enum class Taker : std::uint8_t {
  kUnknown,     ///< the function that decided is not known
  kQueue,       ///< a rule gave the packet to user space (NFQUEUE)
  kRule,        ///< a rule gave the packet to user space, or SYNPROXY answered it
  kReassembly,  ///< a fragment that waits for the others
  kOther,       ///< the function that is named took it
};

Taker taker_of(const Hop& hop, const Names& names);

/// Tells who took the packet at a hop with result 0: `handed to NFQUEUE by nft_do_chain_ipv4`,
/// `kept for reassembly by ipv4_conntrack_defrag`, `taken over by ip_vs_in`.
void append_taker(Buffer& out, const Hop& hop, const Names& names, const Paint& paint);

/// Tells what became of a packet whose verdict is stolen, without its place and time: `queued to
/// user space (NFQUEUE) by netfilter FORWARD ipv4`, `stolen by wg0 (overlay), encrypted there`.
void append_stolen(Buffer& out, const Packet& packet, const Names& names, const Paint& paint,
                   bool verbose);

}  // namespace dptrace
