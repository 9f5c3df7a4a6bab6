// append_summary() puts the figures at the end of a trace into words.
#pragma once

#include "model/summary.hpp"
#include "words/style.hpp"

namespace dptrace {

void append_summary(Buffer& out, const Summary& summary, const Paint& paint);

}  // namespace dptrace
