// The kernel's lockdown may keep BPF programs from reading its memory.
#pragma once

#include <string>
#include <string_view>

namespace dptrace {

/// The mode in force: `integrity` when `text` is `none [integrity] confidentiality`. Empty without
/// a lockdown.
std::string lockdown_mode(std::string_view text);
/// The mode of the running kernel.
std::string lockdown_mode();

/// Words for the user that say why nothing can be seen in this mode, and what to do; empty when
/// dptrace can see.
std::string lockdown_words(std::string_view mode);

}  // namespace dptrace
