#include "capture/tc.hpp"

namespace dptrace {

Result<std::unique_ptr<Tc>> choose_tc(TcPrograms programs, bool has_tcx) {
  // Also where clsact is not needed now: whoever was killed may have been of another kernel's time.
  if (const auto removed = remove_stale_filters(); !removed) return tl::unexpected(removed.error());
  return has_tcx ? make_tcx(programs) : make_clsact(programs);
}

}  // namespace dptrace
