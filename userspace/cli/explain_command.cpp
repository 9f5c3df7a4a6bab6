// `dptrace explain CAUSE` prints the page of a cause; `dptrace explain --list` names them all.
#include <fmt/format.h>

#include <algorithm>

#include "causes/pages.hpp"
#include "cli/commands.hpp"
#include "cli/near_name.hpp"
#include "os/outlet.hpp"
#include "run/exit_status.hpp"
#include "run/standard_output.hpp"
#include "words/page_text.hpp"

namespace dptrace {

namespace {

std::string list_of_causes() {
  std::size_t width = 0;
  for (const auto& page : cause_pages()) width = std::max(width, page.identifier.size());
  std::string list;
  for (const auto& page : cause_pages())
    list += fmt::format("{:<{}}  {}\n", page.identifier, width, page.sentence);
  return list;
}

int refuse(std::string_view cause) {
  NearName near(cause);
  for (const auto& page : cause_pages()) near.offer(page.identifier);
  say(fmt::format("there is no cause '{}'{}\n'dptrace explain --list' names those that there are.",
                  cause,
                  near.found().empty() ? "" : fmt::format("; did you mean {}?", near.found())));
  return kUsage;
}

}  // namespace

int run_explain(const ExplainCommand& command) {
  if (command.list) return print_results(list_of_causes(), kSuccess);
  const CausePage* page = find_cause_page(command.cause);
  if (page == nullptr) return refuse(command.cause);
  Buffer text;
  append_page(text, page->text, Paint(wants_colour()));
  return print_results(view(text), kSuccess);
}

}  // namespace dptrace
