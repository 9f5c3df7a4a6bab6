// How the commands that follow the running kernel ask a network namespace why packets died.
#pragma once

#include "explain/explainer.hpp"
#include "model/names.hpp"
#include "names/namer.hpp"

namespace dptrace {

/// `namer` opens the namespaces but our own. It and `names` must outlive what is returned.
Explainer::Begin asking(Namer& namer, const Names& names);

}  // namespace dptrace
