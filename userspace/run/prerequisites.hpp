// Prerequisites must be met before anything can be traced: kernel, rights, BTF, symbols.
#pragma once

#include <memory>

#include "model/result.hpp"
#include "names/symbols.hpp"
#include "node/kernel_btf.hpp"
#include "os/kept_memory.hpp"

namespace dptrace {

struct Prerequisites {
  std::unique_ptr<KeptMemory> memory;  ///< kept until the start is over
  KernelBtf btf;
  SymbolsReading symbols;  ///< reading began first and is waited for last
};

/// Returns an error for the first prerequisite that is missing, with its remedy. An error in
/// reading the symbols is told when they are waited for.
Result<Prerequisites> meet_prerequisites();

}  // namespace dptrace
