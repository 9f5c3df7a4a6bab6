// Work in another network namespace may be slow: its tenants can keep the kernel busy there, and
// the lock of all namespaces held. Callers give it up after their own patience.
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

/// A visit is the right of one of the few threads that may be in other namespaces at once.
class NetnsVisit {
 public:
  static constexpr int kMost = 4;
  /// Likewise in namespaces that anybody may have made, so that the others are not kept waiting.
  static constexpr int kMostOfStrangers = 2;

  /// The number of visits that are under way.
  static int under_way();

  /// Begins a visit; nothing while as many as may be are still in the kernel.
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

/// Runs `function`, which returns a Result and has all that it needs with it, on a thread of its
/// own. What takes longer than `patience` goes on by itself, and is an error here.
template <typename Function>
std::invoke_result_t<Function&> ask_within(std::chrono::milliseconds patience, Function function) {
  using Answer = std::invoke_result_t<Function&>;
  struct Desk {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<Answer> answer;
  };
  auto visit = NetnsVisit::begin();
  if (!visit) return failure("the kernel is still busy with other network namespaces");
  const auto desk = std::make_shared<Desk>();
  std::thread([desk, visit = std::move(visit), function = std::move(function)]() mutable {
    Answer answer = function();
    const std::scoped_lock lock(desk->mutex);
    desk->answer = std::move(answer);
    visit.reset();  // before the answer is seen: who asks again at once finds room
    desk->ready.notify_one();
  }).detach();
  std::unique_lock lock(desk->mutex);
  if (!desk->ready.wait_for(lock, patience, [&] { return desk->answer.has_value(); }))
    return failure("the kernel takes too long to tell of a network namespace");
  return std::move(*desk->answer);
}

/// Likewise in the netns, so that the process stays where it is.
template <typename Function>
std::invoke_result_t<Function&> in_netns(OwnedFd netns, std::chrono::milliseconds patience,
                                         Function function) {
  using Answer = std::invoke_result_t<Function&>;
  return ask_within(patience, [netns = std::move(netns), function = std::move(function)]() mutable {
    const auto entered = enter_netns(netns.get());
    return entered ? function() : Answer(tl::unexpected<Error>(entered.error()));
  });
}

}  // namespace dptrace
