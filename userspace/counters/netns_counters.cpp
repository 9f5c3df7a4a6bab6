#include "counters/netns_counters.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "counters/counter_text.hpp"
#include "counters/device_counters.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

namespace {

// Each of these counts packets that TCP did not take. ListenDrops has those of ListenOverflows in
// it.
constexpr std::array<std::string_view, 11> kTcpExt = {
    "ListenOverflows", "ListenDrops",      "TCPBacklogDrop", "PFMemallocDrop",
    "TCPMinTTLDrop",   "TCPReqQFullDrop",  "TCPOFODrop",     "TCPZeroWindowDrop",
    "TCPRcvQDrop",     "LockDroppedIcmps", "OfoPruned"};
constexpr std::array<std::string_view, 1> kTcp = {"InCsumErrors"};
constexpr std::array<std::string_view, 4> kUdp = {"RcvbufErrors", "SndbufErrors", "InCsumErrors",
                                                  "MemErrors"};
constexpr std::array<std::string_view, 4> kUdp6 = {"Udp6RcvbufErrors", "Udp6SndbufErrors",
                                                   "Udp6InCsumErrors", "Udp6MemErrors"};
constexpr std::array<std::string_view, 3> kConntrack = {"drop", "early_drop", "insert_failed"};

// The path is below the calling thread's netns: /proc/net is that of the process.
constexpr std::string_view kProcNet = "/proc/thread-self/net/";

// Reads the file whole. Returns false, with errno, when it cannot.
bool read_file(const std::string& path, std::string& text) {
  const OwnedFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return false;
  constexpr std::size_t kStep = 16384;
  std::size_t length = 0;
  for (;;) {
    text.resize(length + kStep);
    const ssize_t got = read(file.get(), text.data() + length, kStep);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    length += static_cast<std::size_t>(got);
    if (got > 0) continue;
    text.resize(length);
    return true;
  }
}

tl::unexpected<Error> cannot_read(const std::string& path, int error) {
  return failure(fmt::format("reading {}: {}", path, std::strerror(error)));
}

void append(std::vector<CounterReading>& readings, const std::vector<NamedCounter>& counters,
            bool is_32_bit = false) {
  for (const NamedCounter& counter : counters) {
    readings.push_back(
        {.name = counter.name, .cpu = counter.cpu, .value = counter.value, .is_32_bit = is_32_bit});
  }
}

std::string proc_net(std::string_view file) { return std::string(kProcNet).append(file); }

Result<std::vector<CounterReading>> read_tcp(const Result<std::string>& snmp) {
  if (!snmp) return tl::unexpected<Error>(snmp.error());
  std::string netstat;
  const auto path = proc_net("netstat");
  if (!read_file(path, netstat)) return cannot_read(path, errno);
  std::vector<CounterReading> readings;
  append(readings, parse_netstat(netstat, "TcpExt", kTcpExt));
  append(readings, parse_netstat(*snmp, "Tcp", kTcp));
  return readings;
}

Result<std::vector<CounterReading>> read_udp(const Result<std::string>& snmp) {
  if (!snmp) return tl::unexpected<Error>(snmp.error());
  std::vector<CounterReading> readings;
  append(readings, parse_netstat(*snmp, "Udp", kUdp));
  std::string snmp6;
  const auto path = proc_net("snmp6");
  // The file is not there without IPv6.
  if (read_file(path, snmp6)) {
    append(readings, parse_snmp6(snmp6, kUdp6));
  } else if (errno != ENOENT) {
    return cannot_read(path, errno);
  }
  return readings;
}

Result<std::vector<CounterReading>> read_conntrack() {
  std::vector<CounterReading> readings;
  std::string text;
  const auto path = proc_net("stat/nf_conntrack");
  if (read_file(path, text)) {
    append(readings, parse_per_cpu_stat(text, kConntrack), true);
  } else if (errno != ENOENT) {
    return cannot_read(path, errno);
  } else if (access("/proc/sys/net/netfilter/nf_conntrack_max", F_OK) == 0) {
    return failure(
        "conntrack's counters are not told by this kernel (it was built without "
        "CONFIG_NF_CONNTRACK_PROCFS)");
  }
  return readings;
}

Result<std::string> read_snmp() {
  std::string text;
  const auto path = proc_net("snmp");
  if (!read_file(path, text)) return cannot_read(path, errno);
  return text;
}

}  // namespace

std::vector<SourceReading> read_netns_counters(std::size_t most_devices) {
  const auto snmp = read_snmp();
  std::vector<SourceReading> readings;
  readings.push_back({CounterSource::kDevice, read_device_counters(most_devices)});
  readings.push_back({CounterSource::kQdisc, read_qdisc_counters(most_devices)});
  readings.push_back({CounterSource::kConntrack, read_conntrack()});
  readings.push_back({CounterSource::kTcp, read_tcp(snmp)});
  readings.push_back({CounterSource::kUdp, read_udp(snmp)});
  return readings;
}

SourceReading read_softnet_counters() {
  const std::string path = "/proc/net/softnet_stat";
  std::string text;
  if (!read_file(path, text)) return {CounterSource::kSoftnet, cannot_read(path, errno)};
  std::vector<CounterReading> readings;
  append(readings, parse_softnet(text), true);
  return {CounterSource::kSoftnet, std::move(readings)};
}

std::uint32_t packets_received() {
  std::string text;
  return read_file("/proc/net/softnet_stat", text) ? parse_softnet_received(text) : 0;
}

}  // namespace dptrace
