// Prerequisites must be met before anything can be traced: kernel, rights, BTF, symbols.
#pragma once

#include <memory>

#include "model/result.hpp"
#include "names/symbols.hpp"
#include "node/kernel_btf.hpp"
#include "os/kept_memory.hpp"

namespace dptrace {

struct Prerequisites {
  std::unique_ptr<KeptMemory> memory;  ///< for the time of the start
  KernelBtf btf;
  SymbolsReading symbols;  ///< begun first, to be waited for last
};

/// The first that is missing, as an error with its remedy; of the symbols that is told when they
/// are waited for.
Result<Prerequisites> meet_prerequisites();

}  // namespace dptrace
