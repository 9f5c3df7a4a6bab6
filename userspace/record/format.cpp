#include "record/format.hpp"

#include <zlib.h>

namespace dptrace::record {

std::uint32_t checksum(std::uint32_t type, std::uint32_t length,
                       std::span<const std::byte> payload) {
  const std::array<std::uint32_t, 2> head = {type, length};
  uLong crc = crc32(0, reinterpret_cast<const Bytef*>(head.data()), sizeof head);
  if (!payload.empty()) {
    crc = crc32_z(crc, reinterpret_cast<const Bytef*>(payload.data()), payload.size());
  }
  return static_cast<std::uint32_t>(crc);
}

}  // namespace dptrace::record
