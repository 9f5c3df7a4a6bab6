#include "causes/pages.hpp"

#include <algorithm>

namespace dptrace {

const CausePage* find_cause_page(std::string_view identifier) {
  const auto pages = cause_pages();
  const auto found = std::find_if(pages.begin(), pages.end(), [&](const CausePage& page) {
    return page.identifier == identifier;
  });
  return found == pages.end() ? nullptr : &*found;
}

}  // namespace dptrace
