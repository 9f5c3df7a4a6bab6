// CauseTally counts why the shown packets died, or came to nothing, for the end of a trace.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/names.hpp"
#include "model/packet.hpp"
#include "words/style.hpp"

namespace dptrace {

class CauseTally {
 public:
  /// Counts a shown packet under each cause by which it, or a part of it, was lost, and under that
  /// of an inference.
  void count(const Packet& packet, const Names& names);
  /// Appends the most frequent causes, with what mends them; nothing when none was proved.
  void append_to(Buffer& out, const Paint& paint) const;

 private:
  using Key = std::pair<std::string, std::string>;  // cause and sentence
  struct Entry {
    std::uint64_t packets = 0;
    std::vector<std::string> fix;  ///< the newest
  };

  void add(Explanation explanation);

  std::map<Key, Entry> causes_;
  std::uint64_t others_ = 0;  ///< packets of causes that had no room
};

}  // namespace dptrace
