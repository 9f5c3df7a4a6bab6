#include "cli/near_name.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace dptrace {

namespace {

std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t changed = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

void NearName::offer(std::string_view known) {
  const bool has = word_.size() >= kEnough && known.find(word_) != known.npos;
  const std::size_t changes = has ? 1 : distance(word_, known);
  if (changes >= best_) return;
  best_ = changes;
  found_ = known;
}

}  // namespace dptrace
