// Programs that the kernel does not take: which one it was, and why.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace dptrace {

struct Refusal {
  std::string program;
  std::string why;  ///< for people

  friend bool operator==(const Refusal&, const Refusal&) = default;
};

/// Reasons by the program's name.
using Refusals = std::map<std::string, std::string>;

/// Of an object that did not load, by what libbpf said. Nothing when it was no single program.
std::optional<Refusal> refusal_of(std::string_view libbpf_log);

}  // namespace dptrace
