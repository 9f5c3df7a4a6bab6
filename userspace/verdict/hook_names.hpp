// hook_names has the names of the functions that netfilter hooks call and that end packets.
#pragma once

#include <span>
#include <string_view>

namespace dptrace {

/// The names, in order of how often their functions end packets, the most frequent first.
std::span<const std::string_view> hook_names();

bool is_hook_function(std::string_view function);

}  // namespace dptrace
