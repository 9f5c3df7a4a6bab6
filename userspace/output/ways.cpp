#include "output/ways.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "model/hash.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kSlots = 4096;
constexpr std::uint8_t kSynOrFin = 0x03;

class Hash {
 public:
  void add(std::uint64_t value) { value_ = mix(value_, value); }
  void add(const void* data, std::size_t size) {
    for (std::size_t at = 0; at < size; at += sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, static_cast<const char*>(data) + at, std::min(sizeof word, size - at));
      add(word);
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

std::array<std::uint8_t, 40> data_of(const dpt_flow& flow) {
  std::array<std::uint8_t, 40> data{};
  std::memcpy(&data[0], &flow.source, 16);
  std::memcpy(&data[16], &flow.destination, 16);
  std::memcpy(&data[32], &flow.l4.port, 4);
  std::memcpy(&data[36], &flow.sequence, 4);
  return data;
}

void add_hop(Hash& hash, const Hop& hop) {
  hash.add(hop.point | std::uint64_t{hop.interface.netns} << 8);
  hash.add(hop.interface.index);
  if (hop.netfilter) {
    hash.add(hop.netfilter->family | hop.netfilter->hook << 8U |
             std::uint64_t{static_cast<std::uint32_t>(hop.netfilter->result)} << 32);
    hash.add(hop.netfilter->function);
  }
  if (hop.tunnel) hash.add(&*hop.tunnel, sizeof *hop.tunnel);
  if (hop.new_flow) {
    const auto data = data_of(hop.flow);
    hash.add(data.data(), data.size());
  }
}

std::uint64_t way_of(const Packet& packet) {
  Hash hash;
  hash.add(packet.hops.size());
  for (const Hop& hop : packet.hops) add_hop(hash, hop);
  return hash.value();
}

// A pure acknowledgment is never sent again.
bool may_be_repeated(const dpt_flow& flow) {
  return flow.protocol == IPPROTO_TCP &&
         ((flow.tcp_flags & kSynOrFin) != 0 || flow.headers == 0 || flow.length > flow.headers);
}

}  // namespace

std::optional<std::uint64_t> Ways::same_before(const Packet& packet) {
  const dpt_flow& flow = packet.flow();
  if (!may_be_repeated(flow)) return std::nullopt;
  if (slots_.empty()) slots_.resize(kSlots);
  const auto data = data_of(flow);
  Hash hash;
  hash.add(data.data(), data.size());
  Slot& slot = slots_[hash.value() % kSlots];
  const std::uint64_t way = way_of(packet);
  if (packet.retransmission && slot.start_ns != 0 && slot.way == way && slot.data == data)
    return slot.start_ns;
  slot = {data, way, packet.start_ns()};
  return std::nullopt;
}

}  // namespace dptrace
