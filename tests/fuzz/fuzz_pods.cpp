// libFuzzer: the results that CNI plugins leave are whatever was written there.
#include <cstdlib>

#include "model/foreign.hpp"
#include "names/pods.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto pod = dptrace::parse_cni_result({reinterpret_cast<const char*>(data), size});
  if (pod && (pod->name.empty() || pod->name.size() > dptrace::kLongestName)) std::abort();
  // An address takes two characters at the least.
  if (pod && pod->addresses.size() > size) std::abort();
  return 0;
}
