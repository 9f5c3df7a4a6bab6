// Symbols has the functions of the running kernel and its modules by address, from /proc/kallsyms.
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

/// Names and addresses of the loaded modules. The text differs when a module has come or gone.
std::string loaded_modules();

class Symbols {
 public:
  /// Reads the symbols of the kernel as it is now. Modules that are loaded later need another
  /// load().
  static Result<Symbols> load();
  /// `text` has the form of /proc/kallsyms, `modules` that of loaded_modules().
  static Result<Symbols> parse(std::string_view text, std::string modules = {});

  /// The function that a return address belongs to. The byte before the address decides, because a
  /// call may be the last instruction of a function. For the address of a function itself, pass the
  /// address plus 1.
  std::optional<Symbol> find(std::uint64_t return_address) const;
  /// The address of a function; the lowest when several functions have that name.
  std::optional<std::uint64_t> address(std::string_view name) const;
  /// The text that loaded_modules() returned before the symbols were read.
  const std::string& modules() const { return modules_; }
  /// The address of nf_tables_net_id, a variable; 0: nf_tables is not loaded.
  std::uint64_t nf_tables_id() const { return nf_tables_id_; }
  /// The address of __per_cpu_offset, the kernel's array of the offsets of variables that each CPU
  /// has of its own; 0: not known.
  std::uint64_t per_cpu_offsets() const { return per_cpu_offsets_; }
  /// The address ranges of all functions whose names are wanted.
  std::vector<dpt_range> ranges(bool is_wanted(std::string_view name)) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint64_t address = 0;
    std::uint32_t name = 0;  // offset into names_
  };
  class Builder;

  std::vector<Entry> entries_;  // in order of address, and therefore of `name` too
  std::string names_;           // each name is between two zero bytes
  std::string modules_;
  std::uint64_t nf_tables_id_ = 0;
  std::uint64_t per_cpu_offsets_ = 0;
};

/// Reads the symbols in a thread of its own: the kernel takes as long to print them as to load all
/// programs.
class SymbolsReading {
 public:
  SymbolsReading() : pending_(std::async(std::launch::async, &Symbols::load)) {}

  /// Waits until the symbols are read.
  Result<Symbols>& wait();

 private:
  std::future<Result<Symbols>> pending_;
  std::optional<Result<Symbols>> symbols_;
};

}  // namespace dptrace
