// A refusal tells which program the kernel did not take, and why.
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

/// The reasons by the name of the program, or of the hook function that it was put on.
using Refusals = std::map<std::string, std::string>;

/// Returns why an object did not load, by what libbpf said. Nothing when it was no single program.
std::optional<Refusal> refusal_of(std::string_view libbpf_log);

}  // namespace dptrace
