#include "run/live.hpp"

#include <sys/utsname.h>

#include "model/foreign.hpp"
#include "node/netns.hpp"
#include "os/clock.hpp"

namespace dptrace {

void follow_wall_clock(Names& names) {
  names.wall_clock_offset_ns =
      followed_offset_ns(names.wall_clock_offset_ns, wall_clock_offset_ns());
}

Names names_of_node(const KernelBtf& btf) {
  Names names;
  utsname host{};
  uname(&host);
  names.node_name = clean_name(host.nodename);
  names.kernel_release = clean_name(host.release);
  names.wall_clock_offset_ns = wall_clock_offset_ns();
  names.home_netns = current_netns();
  for (const auto& [code, name] : btf.drop_reasons()) names.reasons[code] = clean_name(name);
  return names;
}

}  // namespace dptrace
