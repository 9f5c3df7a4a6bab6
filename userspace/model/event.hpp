// An event is a decoded record: what the kernel told, as a value of its kind.
#pragma once

#include <variant>

#include "dptrace/event.h"

namespace dptrace {

using Event = std::variant<dpt_hop, dpt_drop, dpt_netfilter, dpt_device, dpt_end, dpt_lost,
                           dpt_rule, dpt_full_listener>;

}  // namespace dptrace
