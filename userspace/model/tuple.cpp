#include "model/tuple.hpp"

#include <cstring>

#include "model/flow.hpp"

namespace dptrace {

namespace {

bool same_address(const dpt_address& a, const dpt_address& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

std::uint64_t mix(std::uint64_t hash, const dpt_address& address) {
  std::uint64_t words[2];
  std::memcpy(words, address.bytes, sizeof words);
  return dptrace::mix(dptrace::mix(hash, words[0]), words[1]);
}

}  // namespace

Tuple tuple_of(const dpt_flow& flow) {
  Tuple tuple{flow.source, flow.destination, 0, 0};
  if (is_later_fragment(flow)) return tuple;
  if (is_echo(flow.protocol, flow.l4.icmp.type)) {
    tuple.source_port = tuple.destination_port = flow.l4.icmp.id;
  } else if (has_ports(flow.protocol)) {
    tuple.source_port = flow.l4.port.source;
    tuple.destination_port = flow.l4.port.destination;
  }
  return tuple;
}

bool same_addresses(const Tuple& a, const Tuple& b) {
  return same_address(a.source, b.source) && same_address(a.destination, b.destination);
}

bool same(const Tuple& a, const Tuple& b) {
  return same_addresses(a, b) && a.source_port == b.source_port &&
         a.destination_port == b.destination_port;
}

bool reversed(const Tuple& a, const Tuple& b) {
  return same_address(a.source, b.destination) && same_address(a.destination, b.source) &&
         a.source_port == b.destination_port && a.destination_port == b.source_port;
}

std::uint64_t mix(std::uint64_t hash, const Tuple& tuple) {
  hash = mix(mix(hash, tuple.source), tuple.destination);
  return mix(hash, std::uint64_t{tuple.source_port} << 16 | tuple.destination_port);
}

}  // namespace dptrace
