// A drop site tells why a function drops packets. It is for kernels without drop reasons (before
// 5.17), and for drops to which the kernel gives no reason.
#pragma once

#include <string_view>

namespace dptrace {

/// A sentence that names everything that makes `function` drop packets; empty when this version
/// knows nothing.
std::string_view drop_site(std::string_view function);

}  // namespace dptrace
