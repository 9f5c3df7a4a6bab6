#include "drops/drop_rows.hpp"

#include <algorithm>
#include <functional>

#include "drops/kind_end.hpp"

namespace dptrace {

namespace {

double rate_of(std::uint64_t packets, std::uint64_t interval_ns) {
  if (interval_ns == 0) return 0;
  return static_cast<double>(packets) * 1e9 / static_cast<double>(interval_ns);
}

std::size_t hash_of(const std::string& name) {
  return name.empty() ? 0 : std::hash<std::string>()(name);
}

bool are_different(std::size_t before, std::size_t now) {
  return before != 0 && now != 0 && before != now;
}

}  // namespace

DropSample to_sample(const dpt_drop& record) {
  DropSample sample;
  sample.drop.time_ns = record.hop.event.time_ns;
  sample.drop.location = record.location;
  if (record.has_reason != 0) sample.drop.reason = record.reason;
  sample.drop.interface = {record.hop.netns, record.hop.ifindex};
  sample.drop.stack.assign(record.stack, record.stack + record.stack_depth);
  sample.flow = record.hop.flow;
  if (record.hop.tunnel.kind != DPT_TUNNEL_NONE) sample.tunnel = record.hop.tunnel;
  sample.length = record.hop.length;
  return sample;
}

void DropRows::add_sample(std::uint64_t id, DropSample sample) {
  waiting_.push_back({id, std::move(sample)});
}

const DropTable& DropRows::add(const DropCounts& counts) {
  table_.time_ns = counts.end_ns;
  table_.interval_ns = counts.end_ns - counts.begin_ns;
  for (auto& row : table_.rows) {
    row.interval = {};
    row.rate_before = row.rate;
    row.rate = 0;
    row.is_new = false;
  }
  fold_predecessors();
  for (const auto& kind : counts.kinds) count(counts, kind);
  table_.other_interval = counts.other;
  table_.other += counts.other;
  table_.losses += counts.other;
  table_.samples_lost += counts.samples_lost;
  table_.not_examined += counts.not_examined;
  table_.counters = counts.counters;
  take_samples();
  fold_oldest(counts.end_ns);
  sort();
  is_first_ = false;
  return table_;
}

DropOwner DropRows::owner_of(const DropKind& kind) const {
  DropOwner owner;
  if (kind.pod) {
    const auto pod = names_.pods.find(*kind.pod);
    if (pod != names_.pods.end()) owner.pod = hash_of(pod->second);
  }
  const auto netns = names_.netns.find(kind.interface.netns);
  if (netns != names_.netns.end()) owner.netns = hash_of(netns->second.name);
  return owner;
}

// A pod's counts must not be told under the name of the next pod with its address.
void DropRows::fold_predecessors() {
  const auto folded = std::erase_if(table_.rows, [&](const DropRow& row) {
    const auto now = owner_of(row.kind);
    const bool is_anothers =
        are_different(row.owner.pod, now.pod) || are_different(row.owner.netns, now.netns);
    if (is_anothers) fold(row);
    return is_anothers;
  });
  if (folded != 0) index();
}

void DropRows::count(const DropCounts& counts, const KindCount& kind) {
  const auto found = index_.find(kind.id);
  DropRow& row =
      found != index_.end() ? table_.rows[found->second] : row_of_new(kind, counts.begin_ns);
  // A pod is often known a little later than its first packets, and forgotten when it ended.
  const auto owner = owner_of(kind.kind);
  if (owner.pod != 0) row.owner.pod = owner.pod;
  if (owner.netns != 0) row.owner.netns = owner.netns;
  row.interval += kind.count;
  row.total += kind.count;
  row.rate = rate_of(row.interval.packets, table_.interval_ns);
  row.last_ns = counts.end_ns;
  (row.is_loss() ? table_.losses : table_.harmless) += kind.count;
}

DropRow& DropRows::row_of_new(const KindCount& kind, std::uint64_t begin_ns) {
  const End end = end_of(kind.kind, names_);
  const auto like = std::find_if(table_.rows.begin(), table_.rows.end(), [&](const DropRow& row) {
    return row.end == end && are_shown_as_one(row.kind, kind.kind);
  });
  index_.emplace(kind.id, static_cast<std::size_t>(like - table_.rows.begin()));
  if (like != table_.rows.end()) {
    like->more_ids.push_back(kind.id);
    return *like;
  }
  DropRow row;
  row.kind = kind.kind;
  row.id = kind.id;
  row.end = end;
  row.first_ns = begin_ns;
  row.is_new = !is_first_;
  return table_.rows.emplace_back(std::move(row));
}

// A sample is written after its drop was counted: a sample that has no row yet is of the interval
// that has just begun.
void DropRows::take_samples() {
  std::vector<Waiting> still;
  for (auto& waiting : waiting_) {
    const auto found = index_.find(waiting.id);
    if (found != index_.end()) {
      keep(table_.rows[found->second], std::move(waiting.sample));
    } else if (!waiting.waited) {
      waiting.waited = true;
      still.push_back(std::move(waiting));
    }
  }
  waiting_ = std::move(still);
}

void DropRows::keep(DropRow& row, DropSample sample) {
  sample.drop.loss = row.is_loss();
  // The first packet of a kind is a sample, unless the ring was full.
  if (row.samples.empty() && row.total == row.interval) row.first_ns = sample.drop.time_ns;
  const bool is_full = row.samples.size() >= limits_.row_samples || samples_ >= limits_.samples;
  if (is_full && !row.samples.empty()) {
    row.samples.erase(row.samples.begin());
  } else {
    ++samples_;
  }
  row.samples.push_back(std::move(sample));
}

void DropRows::fold(const DropRow& row) {
  table_.folded += row.total;
  ++table_.folded_rows;
  samples_ -= row.samples.size();
}

void DropRows::fold_oldest(std::uint64_t now_ns) {
  auto& rows = table_.rows;
  std::uint64_t oldest = now_ns > limits_.idle_ns ? now_ns - limits_.idle_ns : 0;
  if (rows.size() > limits_.rows) {
    std::vector<std::uint64_t> times;
    times.reserve(rows.size());
    for (const auto& row : rows) times.push_back(row.last_ns);
    const auto last = times.begin() + static_cast<std::ptrdiff_t>(limits_.rows);
    // The first row beyond the limit goes, and with it all rows that are no younger.
    std::nth_element(times.begin(), last, times.end(), std::greater<>());
    oldest = std::max(oldest, *last + 1);
    // A row that was counted just now never goes: an interval has fewer kinds than there may be
    // rows.
    oldest = std::min(oldest, now_ns);
  }
  // Rows are erased in place: the room for a copy of all rows, taken each time, makes the heap grow
  // at random.
  std::erase_if(rows, [&](const DropRow& row) {
    if (row.last_ns < oldest) fold(row);
    return row.last_ns < oldest;
  });
}

void DropRows::sort() {
  auto& rows = table_.rows;
  std::sort(rows.begin(), rows.end(), [](const DropRow& a, const DropRow& b) {
    if (a.is_loss() != b.is_loss()) return a.is_loss();
    if (a.rate != b.rate) return a.rate > b.rate;
    if (a.total.packets != b.total.packets) return a.total.packets > b.total.packets;
    return a.kind < b.kind;
  });
  index();
}

void DropRows::index() {
  index_.clear();
  for (std::size_t i = 0; i < table_.rows.size(); ++i) {
    index_.emplace(table_.rows[i].id, i);
    for (const auto id : table_.rows[i].more_ids) index_.emplace(id, i);
  }
}

}  // namespace dptrace
