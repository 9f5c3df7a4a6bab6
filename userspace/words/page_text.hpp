// A page of docs/causes is Markdown; on a terminal it is text.
#pragma once

#include <string_view>

#include "words/style.hpp"

namespace dptrace {

/// The prose of a page is filled up to this column. Its commands stay as they are.
inline constexpr std::size_t kPageColumns = 80;

/// Appends the page as text. It may have headings, paragraphs, lists without levels, indented
/// commands, and words in backticks. With colours, headings and these words have one.
void append_page(Buffer& out, std::string_view markdown, const Paint& paint);

}  // namespace dptrace
