// The recording file: a header, then chunks, the last of them kEnd. In the byte order of the traced
// machine.
//
//   header   magic (8 bytes), byte order mark (u32), major (u16), minor (u16)
//   chunk    type (u32), length (u32), CRC-32 of type, length and payload (u32), payload
//
// A reader takes every version of its major: unknown chunks and unknown members of JSON payloads
// are passed over. What changes the meaning of a known chunk raises the major.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace dptrace::record {

inline constexpr std::array<char, 8> kMagic = {'D', 'P', 'T', 'R', 'A', 'C', 'E', '\n'};
inline constexpr std::uint32_t kByteOrderMark = 0x01020304;
inline constexpr std::uint32_t kOtherByteOrder = 0x04030201;
inline constexpr std::uint16_t kMajor = 2;
inline constexpr std::uint16_t kMinor = 0;

struct FileHeader {
  std::array<char, 8> magic = kMagic;
  std::uint32_t byte_order = kByteOrderMark;
  std::uint16_t major = kMajor;
  std::uint16_t minor = kMinor;
};
static_assert(sizeof(FileHeader) == 16);

enum class ChunkType : std::uint32_t {
  kMeta = 1,    ///< JSON: the traced pods' addresses
  kNames = 2,   ///< JSON: names that are new since the last such chunk
  kEvents = 3,  ///< records as the kernel wrote them, one behind the other
  kEnd = 4,     ///< JSON: the figures at the end; a file without it is not whole
};

struct ChunkHeader {
  std::uint32_t type = 0;
  std::uint32_t length = 0;
  std::uint32_t crc = 0;
};
static_assert(sizeof(ChunkHeader) == 12);

/// A longer chunk is damage.
inline constexpr std::uint32_t kMaxChunk = 64U << 20;
/// A longer chunk of JSON is damage too, because JSON takes several times its length while it is
/// read; kMaxAllJson bounds all of them together. They have room for the names of a hundred
/// thousand devices, and of a million.
inline constexpr std::uint32_t kMaxJson = 16U << 20;
inline constexpr std::uint64_t kMaxAllJson = 256U << 20;

/// CRC-32 of type, length and payload.
std::uint32_t checksum(std::uint32_t type, std::uint32_t length,
                       std::span<const std::byte> payload);

}  // namespace dptrace::record
