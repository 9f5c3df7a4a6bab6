// An xtables blob is a table's rules as the kernel gives them: one behind the other, in the order
// in which it numbers them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/result.hpp"

namespace dptrace {

/// Where hooks enter the blob, and where the policies of their chains are: offsets by NF_INET_*.
struct XtHooks {
  std::uint32_t valid = 0;  ///< bit mask of hooks
  std::array<std::uint32_t, 5> first{};
  std::array<std::uint32_t, 5> policy{};
};

struct XtRule {
  enum class Kind {
    kRule,
    kPolicy,
    kHead,  ///< the name of a chain, or the end of the table: no packet comes here
    kEnd,   ///< the return at the end of a chain that is not called by a hook
  };

  Kind kind = Kind::kRule;
  std::string chain;
  std::uint32_t number = 0;  ///< in its chain from 1 on; 0: it is no rule
  std::string target;        ///< the name of the target; empty: a verdict or a jump
  std::int32_t verdict =
      0;  ///< where .target is empty: below 0 a verdict, else the offset of a chain
  std::uint32_t offset = 0;
};

/// `family` is NFPROTO_IPV4 or NFPROTO_IPV6. Names are as the kernel has them, not cleaned.
Result<std::vector<XtRule>> walk_xt_blob(std::uint8_t family, const XtHooks& hooks,
                                         std::span<const std::byte> blob);

}  // namespace dptrace
