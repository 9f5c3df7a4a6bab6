// What must be there before anything can be traced: kernel, rights, BTF, symbols.
#pragma once

#include "model/result.hpp"
#include "node/kernel_btf.hpp"
#include "node/symbols.hpp"

namespace dptrace {

struct Prerequisites {
  KernelBtf btf;
  Symbols symbols;
};

/// The first that is missing, as an error with its remedy.
Result<Prerequisites> meet_prerequisites();

}  // namespace dptrace
