// The kernel's lockdown, which may keep BPF programs from reading its memory.
#pragma once

#include <string>
#include <string_view>

namespace dptrace {

/// The mode in force: `integrity` of `none [integrity] confidentiality`; empty without a lockdown.
std::string lockdown_mode(std::string_view text);
/// Of the running kernel.
std::string lockdown_mode();

/// Says why nothing can be seen in this mode, and what to do; empty when it can.
std::string lockdown_words(std::string_view mode);

}  // namespace dptrace
