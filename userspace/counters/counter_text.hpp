// These functions read counters that the kernel tells as text below /proc/net. Fields are found by
// the names that come with them, since kernels add fields.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace dptrace {

struct NamedCounter {
  std::string_view name;  ///< a name of the list that was asked for
  std::uint32_t cpu = 0;  ///< the CPU, of counters that are told per CPU
  std::uint64_t value = 0;
};

/// Reads /proc/net/netstat and /proc/net/snmp: a line of names and a line of values that begin with
/// `section` (`TcpExt`). Counters that this kernel has not are left out.
std::vector<NamedCounter> parse_netstat(std::string_view text, std::string_view section,
                                        std::span<const std::string_view> wanted);

/// Reads /proc/net/snmp6: a name and a value per line.
std::vector<NamedCounter> parse_snmp6(std::string_view text,
                                      std::span<const std::string_view> wanted);

/// Reads /proc/net/stat/nf_conntrack: a line of names, a line of 32-bit hexadecimal values per CPU.
std::vector<NamedCounter> parse_per_cpu_stat(std::string_view text,
                                             std::span<const std::string_view> wanted);

/// Reads /proc/net/softnet_stat, which has no names: `dropped`, 32 bits, of each CPU that is
/// online. A budget that ran out (time_squeeze) loses nothing. The CPU's number is told since 5.10;
/// a line without it is left out.
std::vector<NamedCounter> parse_softnet(std::string_view text);
/// Reads how many packets all CPUs have received from the same file; the sum wraps around.
std::uint32_t parse_softnet_received(std::string_view text);

}  // namespace dptrace
