#include "attach/home_devices.hpp"

#include <atomic>

namespace dptrace {

namespace {

// Programs may read the way meanwhile: they see it whole, before the change or after.
void store(dpt_home_device& way, dpt_home_device value) {
  std::atomic_ref(way).store(value, std::memory_order_release);
}

}  // namespace

bool HomeDevices::set(std::uint32_t ifindex, std::uint32_t flags) {
  auto& ways = set_of(ifindex).ways;
  std::size_t used = 0;
  std::size_t own = DPT_HOME_WAYS;
  for (; used < DPT_HOME_WAYS && ways[used].ifindex != 0; ++used) {
    if (ways[used].ifindex == ifindex) own = used;
  }
  if (flags != 0) {
    if (own == DPT_HOME_WAYS) own = used;
    if (own == DPT_HOME_WAYS) return false;
    store(ways[own], {ifindex, flags});
    return true;
  }
  if (own == DPT_HOME_WAYS) return true;
  // The last way fills the gap.
  if (own != used - 1) store(ways[own], ways[used - 1]);
  store(ways[used - 1], {});
  return true;
}

std::uint32_t HomeDevices::flags(std::uint32_t ifindex) const {
  for (const auto& way : set_of(ifindex).ways) {
    if (way.ifindex == ifindex) return way.flags;
  }
  return 0;
}

}  // namespace dptrace
