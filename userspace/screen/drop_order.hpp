// The order in which the display has the rows of a table.
#pragma once

#include <cstdint>
#include <string_view>

#include "drops/drop_table.hpp"
#include "model/names.hpp"

namespace dptrace {

enum class DropOrder : std::uint8_t { kRate, kCount, kBytes, kLastSeen, kName };

/// The name of an order: `rate`, `count`, `bytes`, `last seen`, `name`.
std::string_view order_name(DropOrder order);

/// Sorts the rows of a table. Losses stay before the rest; equal rows keep their order.
void sort_rows(DropTable& table, DropOrder order, const Names& names);

}  // namespace dptrace
