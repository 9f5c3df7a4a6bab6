// A drop site tells of a drop what its function alone does: for kernels without drop reasons
// (before 5.17) and for drops to which the kernel gives none.
#pragma once

#include <string_view>

namespace dptrace {

/// A sentence naming everything that makes `function` drop packets; empty when this version knows
/// nothing.
std::string_view drop_site(std::string_view function);

}  // namespace dptrace
