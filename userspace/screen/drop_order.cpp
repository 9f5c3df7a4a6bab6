#include "screen/drop_order.hpp"

#include <algorithm>
#include <string>

namespace dptrace {

namespace {

// Rows without a reason, and those whose reason has no name, come last.
std::string_view reason_of(const DropRow& row, const Names& names) {
  if (!row.kind.reason) return "~";
  const auto found = names.reasons.find(*row.kind.reason);
  return found == names.reasons.end() ? "~" : std::string_view(found->second);
}

bool comes_before(const DropRow& a, const DropRow& b, DropOrder order, const Names& names) {
  switch (order) {
    case DropOrder::kCount:
      return a.total.packets > b.total.packets;
    case DropOrder::kBytes:
      return a.total.bytes > b.total.bytes;
    case DropOrder::kLastSeen:
      return a.last_ns > b.last_ns;
    case DropOrder::kName:
      return reason_of(a, names) < reason_of(b, names);
    case DropOrder::kRate:
      break;
  }
  return a.rate > b.rate;
}

}  // namespace

std::string_view order_name(DropOrder order) {
  switch (order) {
    case DropOrder::kRate:
      return "rate";
    case DropOrder::kCount:
      return "count";
    case DropOrder::kBytes:
      return "bytes";
    case DropOrder::kLastSeen:
      return "last seen";
    case DropOrder::kName:
      break;
  }
  return "name";
}

void sort_rows(DropTable& table, DropOrder order, const Names& names) {
  std::stable_sort(table.rows.begin(), table.rows.end(), [&](const DropRow& a, const DropRow& b) {
    return a.is_loss() != b.is_loss() ? a.is_loss() : comes_before(a, b, order, names);
  });
}

}  // namespace dptrace
