// Prerequisites must be met before anything can be traced: kernel, rights, BTF, symbols.
#pragma once

#include "model/result.hpp"
#include "names/symbols.hpp"
#include "node/kernel_btf.hpp"

namespace dptrace {

struct Prerequisites {
  KernelBtf btf;
  SymbolsReading symbols;  ///< begun first, to be waited for last
};

/// The first that is missing, as an error with its remedy; of the symbols that is told when they
/// are waited for.
Result<Prerequisites> meet_prerequisites();

}  // namespace dptrace
