// The queueing disciplines of the calling thread's network namespace, with what they have counted.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/result.hpp"

namespace dptrace {

struct Queue {
  std::uint32_t device = 0;            ///< index
  std::uint32_t handle = 0;            ///< 0: a default one, which has none
  std::uint32_t parent = 0;            ///< TC_H_ROOT, TC_H_INGRESS, or a class of another one
  std::string kind{};                  ///< as clean_name() leaves it: `pfifo`, `fq_codel`
  std::optional<std::uint32_t> limit;  ///< nothing: it has none, or its kind is not known here
  bool limit_is_bytes = false;
  std::uint32_t packets = 0;  ///< that wait
  std::uint64_t drops = 0;
  /// The part of .drops for which nothing but a full queue is a cause.
  std::uint64_t drops_when_full = 0;

  bool is_root() const;
};

/// All of a device, also those that `tc qdisc show` hides. Empty: the device has none, as virtual
/// devices do.
Result<std::vector<Queue>> read_queues(std::uint32_t device);

/// The queueing discipline that a message is about; nothing when it is none.
std::optional<Queue> parse_queue(const nlmsghdr* message);

/// `limit 3000 bytes`, `limit 10 packets`; empty without one.
std::string limit_text(const Queue& queue);

}  // namespace dptrace
