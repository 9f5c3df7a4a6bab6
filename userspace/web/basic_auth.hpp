// BasicAuth lets users read by their passwords (HTTP's Basic scheme). A password is checked once
// and then known again; wrong ones cost those who send them more than the one who checks.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "web/bcrypt.hpp"
#include "web/peer.hpp"
#include "web/web_config.hpp"

namespace dptrace {

class BasicAuth {
 public:
  using Clock = std::chrono::steady_clock;

  enum class Verdict {
    kAdmitted,
    kRefused,
    kTooSoon,  ///< of this peer: it has just sent a wrong one
    kBusy,     ///< of all: too many to be checked
  };

  /// An address waits so long after a wrong password.
  static constexpr std::chrono::seconds kPause{2};
  /// So many checks may come at once, ...
  static constexpr double kAtOnce = 4;
  /// ... then one in so long; longer by what a hash costs more than 10, so that checks take some
  /// seventh of a processor at most.
  static constexpr std::chrono::milliseconds kEvery{500};

  /// At least one user.
  explicit BasicAuth(std::vector<WebUser> users);

  /// `authorization`: the header's value, empty where there is none. `now` only rises.
  Verdict check(std::string_view authorization, const Peer& peer, Clock::time_point now);

 private:
  using Digest = std::array<unsigned char, 32>;
  struct Account {
    WebUser user;
    std::optional<Digest> accepted;  ///< of the password that was right
  };

  bool take_turn(int cost, Clock::time_point now);
  std::optional<Digest> digest_of(std::string_view text) const;

  std::vector<Account> accounts_;
  bcrypt::Checker checker_;
  Digest secret_{};  // so that a digest says nothing outside this process
  std::size_t costliest_ = 0;
  double turns_ = kAtOnce;
  std::optional<Clock::time_point> last_turn_;
  std::map<Peer, Clock::time_point> wrong_;  // few: they are as many as were checked within a pause
};

}  // namespace dptrace
