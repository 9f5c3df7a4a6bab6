// A sink that keeps what it is given.
#pragma once

#include <string>
#include <vector>

#include "output/output.hpp"

namespace dptrace {

class CollectingSink : public Sink {
 public:
  bool write(std::string_view text) override {
    if (gone) return false;
    this->text += text;
    return true;
  }

  std::vector<std::string> lines() const {
    std::vector<std::string> lines(1);
    for (const char c : text) {
      if (c == '\n') {
        lines.emplace_back();
      } else {
        lines.back() += c;
      }
    }
    return lines;
  }

  std::string text;
  bool gone = false;
};

}  // namespace dptrace
