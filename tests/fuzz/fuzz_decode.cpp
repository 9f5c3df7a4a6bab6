// libFuzzer: whatever bytes come from a ring or a recording, decoding and following them must not
// fault.
#include "decode/decode.hpp"
#include "timeline/timeline.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const dptrace::Names names;
  dptrace::Timeline timeline(names);
  std::uint64_t last = 0;
  std::span<const std::byte> rest(reinterpret_cast<const std::byte*>(data), size);
  // The input is a row of records, each with its length in front, so that sequences are found too.
  while (!rest.empty()) {
    const std::size_t length =
        std::min<std::size_t>(std::to_integer<std::size_t>(rest.front()) * 2, rest.size() - 1);
    const auto event = dptrace::decode(rest.subspan(1, length));
    rest = rest.subspan(1 + length);
    if (!event) continue;
    timeline.add(*event);
    last = std::max<std::uint64_t>(last, std::visit(
                                             [](const auto& value) {
                                               if constexpr (requires { value.event; })
                                                 return value.event.time_ns;
                                               else
                                                 return value.hop.event.time_ns;
                                             },
                                             *event));
  }
  timeline.advance(last, [](dptrace::Packet&&) {});
  timeline.finish([](dptrace::Packet&&) {});
  return 0;
}
