// Passwords as bcrypt keeps them: slow to compute, so that a stolen file does not tell them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct crypt_data;

namespace dptrace::bcrypt {

/// A computation takes twice as long with each step: at 10 some 70 ms, at 14 a second.
constexpr int kMostCost = 14;

/// Says why `hash` cannot be checked, and what to do. Empty: it can be.
std::string wrong_with(std::string_view hash);

/// Of a hash that nothing is wrong with.
int cost_of(std::string_view hash);

/// The memory that a computation needs, so that it asks for none.
class Checker {
 public:
  Checker();
  Checker(Checker&&) noexcept;
  Checker& operator=(Checker&&) noexcept;
  ~Checker();

  /// Takes the time that the cost of `hash` stands for, whatever the password.
  bool matches(const std::string& password, const std::string& hash);

 private:
  std::unique_ptr<crypt_data> memory_;
};

}  // namespace dptrace::bcrypt
