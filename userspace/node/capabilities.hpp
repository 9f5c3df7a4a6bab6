// Capabilities tells which of the capabilities that dptrace can use this process has.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.hpp"

namespace dptrace {

struct Capability {
  std::uint8_t number = 0;  ///< CAP_*
  std::string_view name;
  std::string_view purpose;  ///< what dptrace cannot do without it
  bool required = false;     ///< false: without it only some facts are lost
};

class Capabilities {
 public:
  /// Reads the capabilities in effect for this process.
  static Result<Capabilities> read();
  /// `status` has the form of /proc/self/status.
  static Result<Capabilities> parse(std::string_view status);

  /// All capabilities that dptrace can use.
  static const std::vector<Capability>& used();

  bool holds(std::uint8_t capability) const { return (effective_ >> capability & 1) != 0; }
  /// CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON too, as in the kernel.
  bool has(std::uint8_t capability) const;
  std::vector<Capability> missing() const;
  /// The missing ones as text, `CAP_BPF, CAP_PERFMON`; empty when none is missing.
  std::string missing_names() const;

 private:
  explicit Capabilities(std::uint64_t effective) : effective_(effective) {}

  std::uint64_t effective_;
};

}  // namespace dptrace
