# Writes the pages of causes into a C++ source, which defines cause_pages():
#
#   cmake -DFOLDER=docs/causes -DCAUSES=no-route,unknown -DOUTPUT=cause_pages.cpp -P embed_pages.cmake
string(REPLACE "," ";" causes "${CAUSES}")
set(rows "")
foreach(cause IN LISTS causes)
  set(file ${FOLDER}/${cause}.md)
  file(READ ${file} text)
  if(NOT text MATCHES "^# ([a-z-]+): ([^\n]+)\n" OR NOT CMAKE_MATCH_1 STREQUAL cause)
    message(FATAL_ERROR "${file}: its first line has to be \"# ${cause}: what happened\"")
  endif()
  set(sentence "${CMAKE_MATCH_2}")
  string(APPEND rows "    {\"${cause}\", R\"page(${sentence})page\",\n     R\"page(${text})page\"},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made of docs/causes by embed_pages.cmake.
#include \"causes/pages.hpp\"

namespace dptrace {

namespace {
constexpr CausePage kPages[] = {
${rows}};
}  // namespace

std::span<const CausePage> cause_pages() { return kPages; }

}  // namespace dptrace
")
