// libFuzzer: the head of a request to the metrics port.
#include <cstdlib>
#include <string_view>

#include "metrics/http_request.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view head(reinterpret_cast<const char*>(data), size);
  const auto request = dptrace::parse_http_request(head);
  // What is taken is of the request, and a path.
  if (request && (request->method.size() + request->path.size() > size || request->path.empty()))
    std::abort();
  return 0;
}
