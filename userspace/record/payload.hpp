// The JSON payloads of a recording: what is new in Names, the traced pods, the figures at the end.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/names.hpp"
#include "model/summary.hpp"
#include "record/disguise.hpp"

namespace dptrace::record {

/// The names that `written` lacks, and has from then on; empty when there are none.
std::string new_names(const Names& names, Names& written, Disguise& disguise);
std::string pods_payload(const std::vector<Address>& pods);
std::string summary_payload(const Summary& summary);

/// These add to what they are given; false: not such a payload.
bool read_names(std::string_view payload, Names& names);
bool read_pods(std::string_view payload, std::vector<Address>& pods);
bool read_summary(std::string_view payload, Summary& summary);

}  // namespace dptrace::record
