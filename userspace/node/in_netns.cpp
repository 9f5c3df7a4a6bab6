#include "node/in_netns.hpp"

#include <atomic>

namespace dptrace {

namespace {

std::atomic<int> visits = 0;

}  // namespace

int NetnsVisit::under_way() { return visits; }

std::optional<NetnsVisit> NetnsVisit::begin() {
  if (visits.fetch_add(1) < kMost) return NetnsVisit();
  visits.fetch_sub(1);
  return std::nullopt;
}

NetnsVisit::~NetnsVisit() {
  if (counts_) visits.fetch_sub(1);
}

}  // namespace dptrace
