// BasicAuth lets users read by their passwords (HTTP's Basic scheme). A password is checked once
// and recognised afterwards. Wrong passwords cost the sender more than this process.
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
    kTooSoon,  ///< this peer has just sent a wrong password
    kBusy,     ///< too many passwords, of all peers, are to be checked
  };

  /// A peer has to wait this long after a wrong password.
  static constexpr std::chrono::seconds kPause{2};
  /// This many checks may come at once, ...
  static constexpr double kAtOnce = 4;
  /// ... then one in this time. Where a hash costs more than 10, the time is longer by as much, so
  /// that checks take at most about a seventh of a processor.
  static constexpr std::chrono::milliseconds kEvery{500};

  /// `users` has at least one user.
  explicit BasicAuth(std::vector<WebUser> users);

  /// `authorization` is the value of the header, empty when there is none. `now` must not fall from
  /// call to call.
  Verdict check(std::string_view authorization, const Peer& peer, Clock::time_point now);

 private:
  using Digest = std::array<unsigned char, 32>;
  struct Account {
    WebUser user;
    std::optional<Digest> accepted;  ///< digest of the password that was right
  };

  /// The user whose hash a name that no user has is checked against, always the same for a name. As
  /// hashes cost different times, the time of a check would else tell which users there are.
  const Account& stand_in(std::string_view name) const;
  bool take_turn(int cost, Clock::time_point now);
  std::optional<Digest> digest_of(std::string_view text) const;

  std::vector<Account> accounts_;
  bcrypt::Checker checker_;
  Digest secret_{};  // keys the digests, so that they say nothing outside this process
  double turns_ = kAtOnce;
  std::optional<Clock::time_point> last_turn_;
  std::map<Peer, Clock::time_point> wrong_;  // few: one for each recent check
};

}  // namespace dptrace
