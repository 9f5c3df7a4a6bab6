// The functions that netfilter hooks call and that end packets, by name.
#pragma once

#include <span>
#include <string_view>

namespace dptrace {

/// The ones that most often end a packet first.
std::span<const std::string_view> hook_names();

bool is_hook_function(std::string_view function);

}  // namespace dptrace
