// The functions of the running kernel and its modules by address, from /proc/kallsyms.
#pragma once

#include <cstdint>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dptrace/drops.h"
#include "model/names.hpp"
#include "model/result.hpp"

namespace dptrace {

/// Names and addresses of the modules there are: differs when one has come or gone.
std::string loaded_modules();

class Symbols {
 public:
  /// As the kernel is now; to be loaded again to see modules that come later.
  static Result<Symbols> load();
  /// `text` has the form of /proc/kallsyms, `modules` that of loaded_modules().
  static Result<Symbols> parse(std::string_view text, std::string modules = {});

  /// The function that a return address belongs to: the instruction before it decides, as the call
  /// may be the last one of a function. For the address of the function itself, pass one more.
  std::optional<Symbol> find(std::uint64_t return_address) const;
  /// Of a function, the lowest when there are several of that name.
  std::optional<std::uint64_t> address(std::string_view name) const;
  /// As loaded_modules() had them before the symbols were read.
  const std::string& modules() const { return modules_; }
  /// Of all functions whose names are wanted.
  std::vector<dpt_range> ranges(bool is_wanted(std::string_view name)) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint64_t address = 0;
    std::uint32_t name = 0;  // offset into names_
  };
  class Builder;

  std::vector<Entry> entries_;  // by address, and therefore by offset too
  std::string names_;           // each between two zero bytes
  std::string modules_;
};

/// Reads them in a thread of its own: the kernel takes as long to print them as to load all
/// programs.
class SymbolsReading {
 public:
  SymbolsReading() : pending_(std::async(std::launch::async, &Symbols::load)) {}

  /// Waits until they are read.
  Result<Symbols>& wait();

 private:
  std::future<Result<Symbols>> pending_;
  std::optional<Result<Symbols>> symbols_;
};

}  // namespace dptrace
