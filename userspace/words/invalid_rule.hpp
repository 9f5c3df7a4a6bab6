// Rules that take what connection tracking finds invalid, and nothing else.
#pragma once

#include <string_view>

#include "model/rule.hpp"

namespace dptrace {

/// True when the text of the rule that decided says that it takes packets in the state INVALID
/// only, and the rule stands where connection tracking has seen the packet: to a rule before it
/// everything is invalid.
bool is_of_invalid_only(const DecidingRule& rule, std::string_view text);

}  // namespace dptrace
