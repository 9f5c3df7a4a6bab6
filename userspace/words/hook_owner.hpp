// A HookOwner says what part of the kernel a netfilter hook function belongs to.
#pragma once

#include <string_view>

namespace dptrace {

struct HookOwner {
  std::string_view prefix;  ///< of the names of its hook functions
  std::string_view words;   ///< `connection tracking`, `a rule of nftables`
  bool runs_rules = false;  ///< the function runs rules that users make
};

/// Returns the owner of a hook function; null: not known. Names as in 5.10 to 7.2.
const HookOwner* hook_owner(std::string_view function);

}  // namespace dptrace
