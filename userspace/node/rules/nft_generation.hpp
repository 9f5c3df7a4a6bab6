// nft_generation() tells which version of all rules of nftables is in force in the network
// namespace of the calling thread.
#pragma once

#include <cstdint>

#include "model/result.hpp"

namespace dptrace {

Result<std::uint32_t> nft_generation();

}  // namespace dptrace
