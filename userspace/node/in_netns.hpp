// Work in another network namespace may be slow: its tenants can keep the kernel busy there, and
// the lock of all namespaces held. Each caller gives up waiting after a time of its own choice.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "model/result.hpp"
#include "node/netns.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

/// A visit is the right of a thread to be in another namespace; only a few threads may have it at
/// once.
class NetnsVisit {
 public:
  static constexpr int kMost = 4;
  /// The most visits at once in namespaces that anybody may have made, so that the other namespaces
  /// are not kept waiting.
  static constexpr int kMostOfStrangers = 2;

  /// The number of visits that are under way.
  static int under_way();

  /// Begins a visit. Nothing when as many as are allowed are still under way.
  static std::optional<NetnsVisit> begin();
  NetnsVisit(NetnsVisit&& other) noexcept : counts_(std::exchange(other.counts_, false)) {}
  NetnsVisit& operator=(NetnsVisit&&) = delete;
  NetnsVisit(const NetnsVisit&) = delete;
  NetnsVisit& operator=(const NetnsVisit&) = delete;
  ~NetnsVisit();

 private:
  NetnsVisit() = default;
  bool counts_ = true;
};

/// An inquiry is a question that a thread of its own asks: its answer may be waited for, or looked
/// for now and then. The thread goes on by itself when nobody waits any more.
template <typename Answer>
class Inquiry {
 public:
  /// Runs `function`, which returns an Answer and owns all that it uses. An error when as many
  /// visits as are allowed are still under way.
  template <typename Function>
  static Result<Inquiry> begin(Function function) {
    auto visit = NetnsVisit::begin();
    if (!visit) return failure("the kernel is still busy with other network namespaces");
    Inquiry inquiry;
    std::thread([desk = inquiry.desk_, visit = std::move(visit),
                 function = std::move(function)]() mutable {
      Answer answer = function();
      const std::scoped_lock lock(desk->mutex);
      desk->answer = std::move(answer);
      // Before the answer is seen, so that a caller who asks again at once finds room.
      visit.reset();
      desk->ready.notify_one();
    }).detach();
    return inquiry;
  }

  /// Returns the answer, once; nothing when it has not come within `patience`.
  std::optional<Answer> within(std::chrono::milliseconds patience) {
    std::unique_lock lock(desk_->mutex);
    desk_->ready.wait_for(lock, patience, [&] { return desk_->answer.has_value(); });
    return std::exchange(desk_->answer, std::nullopt);
  }

 private:
  struct Desk {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<Answer> answer;
  };

  std::shared_ptr<Desk> desk_ = std::make_shared<Desk>();
};

/// Runs `function` on a thread of its own. The function returns a Result and owns all that it uses.
/// When it takes longer than `patience` it goes on by itself, and the caller gets an error.
template <typename Function>
std::invoke_result_t<Function&> ask_within(std::chrono::milliseconds patience, Function function) {
  auto inquiry = Inquiry<std::invoke_result_t<Function&>>::begin(std::move(function));
  if (!inquiry) return tl::unexpected(inquiry.error());
  auto answer = inquiry->within(patience);
  if (!answer) return failure("the kernel takes too long to tell of a network namespace");
  return std::move(*answer);
}

/// `function`, but the thread that calls it enters `netns` first; the process stays where it is.
template <typename Function>
auto entering(OwnedFd netns, Function function) {
  using Answer = std::invoke_result_t<Function&>;
  return [netns = std::move(netns), function = std::move(function)]() mutable {
    const auto entered = enter_netns(netns.get());
    return entered ? function() : Answer(tl::unexpected<Error>(entered.error()));
  };
}

/// Runs `function` in the netns of the process, whichever one the calling thread is in. It does not
/// run when that netns cannot be entered.
template <typename Function>
void at_home(Function function) {
  const OwnedFd home = open_home_netns();
  // A thread that came back might fail to, and go on in the wrong netns.
  std::thread([&] {
    if (home && enter_netns(home.get())) function();
  }).join();
}

/// Does what ask_within() does, but the thread enters `netns` first.
template <typename Function>
std::invoke_result_t<Function&> in_netns(OwnedFd netns, std::chrono::milliseconds patience,
                                         Function function) {
  return ask_within(patience, entering(std::move(netns), std::move(function)));
}

}  // namespace dptrace
