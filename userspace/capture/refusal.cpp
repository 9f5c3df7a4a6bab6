#include "capture/refusal.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace dptrace {

namespace {

constexpr std::string_view kBegin = "prog '";
constexpr std::string_view kEnd = "': failed to load: -";

std::string reason_of(int error) {
  switch (error) {
    case ESRCH:
    case ENOENT:
      return "this kernel does not have it";
    case EPERM:
      return "this kernel does not permit it to this process (a capability is missing, a policy "
             "forbids it, or before 5.11 the limit of locked memory is too low: ulimit -l)";
    default:
      return fmt::format("this kernel refuses the program: {}", std::strerror(error));
  }
}

}  // namespace

std::optional<Refusal> refusal_of(std::string_view libbpf_log) {
  // libbpf's own words about the program come last; before them comes the verifier's log, in which
  // anything may stand.
  const auto end = libbpf_log.rfind(kEnd);
  if (end == std::string_view::npos) return {};
  const auto begin = libbpf_log.rfind(kBegin, end);
  if (begin == std::string_view::npos) return {};
  const auto name = libbpf_log.substr(begin + kBegin.size(), end - begin - kBegin.size());
  if (name.empty() || name.find('\n') != std::string_view::npos) return {};
  const auto number = libbpf_log.substr(end + kEnd.size());
  int error = 0;
  std::from_chars(number.data(), number.data() + number.size(), error);
  return Refusal{std::string(name), reason_of(error)};
}

}  // namespace dptrace
