// In which order the display has the rows of a table, and which of them.
#pragma once

#include <cstdint>
#include <string_view>

#include "drops/drop_table.hpp"
#include "model/names.hpp"

namespace dptrace {

enum class DropOrder : std::uint8_t { kRate, kCount, kBytes, kLastSeen, kName };

/// `rate`, `count`, `bytes`, `last seen`, `name`.
std::string_view order_name(DropOrder order);

/// Losses stay before the rest; rows that are equal stay as they were.
void sort_rows(DropTable& table, DropOrder order, const Names& names);

}  // namespace dptrace
