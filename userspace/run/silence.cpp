#include "run/silence.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dptrace {

std::optional<std::string> Silence::words(std::uint64_t now_ns, bool something_came,
                                          const std::vector<Address>& asked_for,
                                          const std::map<Address, std::string>& pods,
                                          bool is_filtered) {
  if (something_came) is_over_ = true;
  if (is_over_ || now_ns < due_ns_) return {};
  is_over_ = true;
  std::vector<std::string> addresses;
  bool is_any_here = false;
  for (const Address& address : asked_for) {
    const auto pod = pods.find(address);
    is_any_here |= pod != pods.end();
    addresses.push_back(pod == pods.end() ? address.text()
                                          : fmt::format("{} ({})", address.text(), pod->second));
  }
  const std::string begin =
      fmt::format("no packet of {} came for 10 s", fmt::join(addresses, ", "));
  const std::string_view reasons =
      is_filtered ? "nobody sends any, or the filter (--peer-ip, --port, --protocol) is too narrow"
                  : "nobody sends any";
  if (is_any_here) return fmt::format("{}: {}", begin, reasons);
  return fmt::format(
      "{}. Is the address right, and the pod on this node (kubectl get pods -A -o wide)? If so, {}",
      begin, reasons);
}

std::chrono::milliseconds Silence::left(std::uint64_t now_ns) const {
  if (is_over_) return std::chrono::milliseconds::max();
  const std::chrono::nanoseconds left(due_ns_ - std::min(due_ns_, now_ns));
  return std::chrono::ceil<std::chrono::milliseconds>(left);
}

}  // namespace dptrace
