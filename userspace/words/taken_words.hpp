// A packet that neither arrived nor died was taken over: by a queue, reassembly, an encrypting
// device.
#pragma once

#include "model/names.hpp"
#include "model/packet.hpp"
#include "words/style.hpp"

namespace dptrace {

/// Who may have the packet after a hook of result 0.
enum class Taker : std::uint8_t {
  kUnknown,     ///< the function that decided is not known
  kQueue,       ///< a rule gave it to user space (NFQUEUE)
  kRule,        ///< a rule gave it to user space, or SYNPROXY answered it
  kReassembly,  ///< a fragment that waits for the others
  kOther,       ///< the function that is named
};

Taker taker_of(const Hop& hop, const Names& names);

/// For a hop of result 0: `handed to NFQUEUE by nft_do_chain_ipv4`, `kept for reassembly by
/// ipv4_conntrack_defrag`, `taken over by ip_vs_in`.
void append_taker(Buffer& out, const Hop& hop, const Names& names, const Paint& paint);

/// Of a packet whose verdict is stolen, without its place and time: `queued to user space (NFQUEUE)
/// by netfilter FORWARD ipv4`, `stolen by wg0 (overlay), encrypted there`.
void append_stolen(Buffer& out, const Packet& packet, const Names& names, const Paint& paint,
                   bool verbose);

}  // namespace dptrace
