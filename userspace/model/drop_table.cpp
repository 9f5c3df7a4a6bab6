#include "model/drop_table.hpp"

#include <tuple>

namespace dptrace {

bool operator<(const DropKind& a, const DropKind& b) {
  const auto fields = [](const DropKind& kind) {
    return std::tie(kind.reason, kind.location, kind.interface, kind.family, kind.protocol,
                    kind.icmp_type, kind.ethertype, kind.multicast, kind.other_host, kind.tcp_fin,
                    kind.pod);
  };
  return fields(a) < fields(b);
}

}  // namespace dptrace
