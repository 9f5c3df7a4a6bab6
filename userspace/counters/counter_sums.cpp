#include "counters/counter_sums.hpp"

#include <algorithm>
#include <tuple>

namespace dptrace {

namespace {

// A dump may pass over a device while other devices come and go: a device that is missing once is
// not gone.
constexpr unsigned kGoneAfter = 2;

auto counter_of(const CounterReading& reading) { return std::tie(reading.index, reading.name); }
auto key_of(const CounterReading& reading) {
  return std::tie(reading.index, reading.name, reading.cpu);
}

std::uint64_t rise(const CounterReading& before, const CounterReading& now) {
  if (now.generation != before.generation) return now.value;
  if (now.value >= before.value) return now.value - before.value;
  // The counter has wrapped around, unless that would be half of all there is: then it began again
  // at 0.
  const auto wrapped = static_cast<std::uint32_t>(now.value - before.value);
  return now.is_32_bit && wrapped < (1U << 31) ? wrapped : now.value;
}

// A CPU that is off line keeps its counters and tells them again when it is back.
bool may_go(CounterSource source) { return source != CounterSource::kSoftnet; }

}  // namespace

std::string_view group_name(CounterSource source) {
  switch (source) {
    case CounterSource::kDevice:
      return "device";
    case CounterSource::kQdisc:
      return "qdisc";
    case CounterSource::kSoftnet:
      return "softnet";
    case CounterSource::kConntrack:
      return "conntrack";
    case CounterSource::kTcp:
      return "tcp";
    case CounterSource::kUdp:
      break;
  }
  return "udp";
}

void CounterSums::begin_interval() {
  for (Row& row : rows_) row.interval = 0;
}

void CounterSums::take(CounterSource source, std::span<const CounterReading> readings) {
  const unsigned bit = 1U << static_cast<unsigned>(source);
  const bool is_base = !created_later_ && (known_sources_ & bit) == 0;
  known_sources_ |= bit;
  for (Row& row : rows_) row.missed += row.source == source ? 1 : 0;
  const std::size_t known = rows_.size();
  for (const CounterReading& reading : readings) {
    const auto end = rows_.begin() + static_cast<std::ptrdiff_t>(known);
    const auto row =
        std::lower_bound(rows_.begin(), end, reading, [&](const Row& a, const auto& b) {
          return a.source != source ? a.source < source : key_of(a.last) < key_of(b);
        });
    if (row == end || row->source != source || key_of(row->last) != key_of(reading)) {
      if (reading.value == 0) continue;
      const std::uint64_t rose = is_base ? 0 : reading.value;
      rows_.push_back({source, reading, rose, rose});
      continue;
    }
    const std::uint64_t rose = rise(row->last, reading);
    row->last = reading;
    row->total += rose;
    row->interval += rose;
    row->missed = 0;
  }
  std::erase_if(rows_,
                [&](const Row& row) { return row.missed >= kGoneAfter && may_go(row.source); });
  std::sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) {
    return a.source != b.source ? a.source < b.source : key_of(a.last) < key_of(b.last);
  });
}

void CounterSums::append_to(std::vector<LossCounter>& counters, std::uint32_t netns) const {
  for (auto row = rows_.begin(); row != rows_.end();) {
    LossCounter sum;
    sum.group = group_name(row->source);
    sum.name = row->last.name;
    if (row->source != CounterSource::kSoftnet) sum.interface = {netns, row->last.index};
    const auto first = row;
    for (; row != rows_.end() && row->source == first->source &&
           counter_of(row->last) == counter_of(first->last);
         ++row) {
      sum.total += row->total;
      sum.interval += row->interval;
    }
    if (sum.total != 0) counters.push_back(std::move(sum));
  }
}

}  // namespace dptrace
