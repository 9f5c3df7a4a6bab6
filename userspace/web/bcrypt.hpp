// bcrypt keeps passwords as hashes that are slow to compute, so that a stolen file does not tell
// them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct crypt_data;

namespace dptrace::bcrypt {

/// With each step of the cost a computation takes twice as long: at 10 some 70 ms, at 14 a second.
constexpr int kMostCost = 14;

/// Says why `hash` cannot be checked, and what to do; empty when it can be checked.
std::string wrong_with(std::string_view hash);

/// The cost of a hash that nothing is wrong with.
int cost_of(std::string_view hash);

/// Checker has the memory that a computation needs, so that matches() allocates none.
class Checker {
 public:
  Checker();
  Checker(Checker&&) noexcept;
  Checker& operator=(Checker&&) noexcept;
  ~Checker();

  /// True when the hash is that of the password. Takes the time that the cost of `hash` stands for,
  /// whatever the password is.
  bool matches(const std::string& password, const std::string& hash);

 private:
  std::unique_ptr<crypt_data> memory_;
};

}  // namespace dptrace::bcrypt
