// The JSON payloads of a recording are the new entries of Names, the traced pods, and the figures
// at the end.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/names.hpp"
#include "model/summary.hpp"
#include "record/disguise.hpp"

namespace dptrace::record {

/// A payload of the names that `written` lacks; they are added to `written`. Empty when there are
/// none.
std::string new_names(const Names& names, Names& written, Disguise& disguise);
std::string pods_payload(const std::vector<Address>& pods);
std::string summary_payload(const Summary& summary);

/// These add a payload to their last argument. False when it is not such a payload.
bool read_names(std::string_view payload, Names& names);
bool read_pods(std::string_view payload, std::vector<Address>& pods);
bool read_summary(std::string_view payload, Summary& summary);

}  // namespace dptrace::record
