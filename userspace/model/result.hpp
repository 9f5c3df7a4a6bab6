// Success or an error that says what failed, on what, why, and what to do.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace dptrace {

struct Error {
  std::string message;
};

template <typename T = void>
using Result = tl::expected<T, Error>;

/// `return failure("reading {}: {}", file, why)` needs fmt; this takes the finished text.
inline tl::unexpected<Error> failure(std::string message) {
  return tl::unexpected<Error>(Error{std::move(message)});
}

}  // namespace dptrace
