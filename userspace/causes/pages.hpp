// A cause page tells of one cause of loss what happened, how it shows, what proves and what mends
// it. The pages are docs/causes/*.md, which the build puts into the program.
#pragma once

#include <span>
#include <string_view>

namespace dptrace {

struct CausePage {
  std::string_view identifier;  ///< `no-route`, as in `drop.cause`
  std::string_view sentence;    ///< what happened, in short: its heading, without the identifier
  std::string_view text;        ///< all of the page, as Markdown
};

/// All pages, in the order in which the build lists them.
std::span<const CausePage> cause_pages();

/// The page of a cause; null when there is none.
const CausePage* find_cause_page(std::string_view identifier);

}  // namespace dptrace
