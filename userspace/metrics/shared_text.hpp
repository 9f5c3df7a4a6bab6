// SharedText is a text of which there is one copy, and which many connections send at their own
// pace. It counts its holders without a virtual function: test_privileges.cpp tells what a
// sanitizer does about virtual functions.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <utility>

namespace dptrace {

class SharedText {
 public:
  SharedText() = default;
  explicit SharedText(std::string text) : block_(new Block{std::move(text)}) {}
  SharedText(const SharedText& other) : block_(other.block_) {
    if (block_ != nullptr) ++block_->holders;
  }
  SharedText(SharedText&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedText& operator=(SharedText other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedText() {
    if (block_ != nullptr && --block_->holders == 0) delete block_;
  }

  std::string_view text() const { return block_ == nullptr ? std::string_view() : block_->text; }

 private:
  struct Block {
    std::string text;
    std::atomic<unsigned> holders{1};
  };
  Block* block_ = nullptr;
};

}  // namespace dptrace
