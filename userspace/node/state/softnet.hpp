// What the CPUs of this machine have counted of the packets that waited for them, as
// /proc/net/softnet_stat tells it in every network namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace dptrace {

/// How many packets were dropped because a CPU's backlog was full, of all CPUs; nothing when the
/// kernel does not tell.
std::optional<std::uint64_t> read_backlog_drops();

/// `table` has the form of that file: a line for each CPU, in hexadecimal.
std::optional<std::uint64_t> parse_backlog_drops(std::string_view table);

}  // namespace dptrace
