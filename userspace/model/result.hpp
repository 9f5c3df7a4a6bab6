// A result is a success, or an error that says what failed, on what, why, and what to do.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace dptrace {

struct Error {
  std::string message;
};

template <typename T = void>
using Result = tl::expected<T, Error>;

/// Makes an error of a finished text, as fmt::format() gives it.
inline tl::unexpected<Error> failure(std::string message) {
  return tl::unexpected<Error>(Error{std::move(message)});
}

}  // namespace dptrace
