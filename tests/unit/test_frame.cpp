#include <catch2/catch.hpp>

#include "screen/frame.hpp"
#include "words/style.hpp"

using namespace dptrace;

TEST_CASE("a line is cut between characters, not within one") {
  CHECK(clip_line("57.3 µs → 10.0.0.1", 6) == "57.3 µ");
  CHECK(clip_line("57.3 µs → 10.0.0.1", 9) == "57.3 µs →");
  CHECK(clip_line("short", 9) == "short");
  CHECK(clip_line("", 9).empty());
  CHECK(clip_line("anything", 0).empty());
}

TEST_CASE("colours take no room and end with what they colour") {
  const std::string line = "\x1b[1;31mdropped\x1b[0m by \x1b[36mfilter\x1b[0m";
  CHECK(clip_line(line, 100) == line);
  CHECK(clip_line(line, 4) == "\x1b[1;31mdrop\x1b[0m");
  CHECK(clip_line(line, 9) == "\x1b[1;31mdropped\x1b[0m b");
  CHECK(without_colour(line) == "dropped by filter");
  CHECK(columns(clip_line(line, 12)) == 12);
}

TEST_CASE("text that is no UTF-8, or a code that does not end, is no harm") {
  CHECK(clip_line("\x1b[1;31", 3) == "\x1b[1;31\x1b[0m");
  CHECK(columns(clip_line("\x80\x80"
                          "abc",
                          2)) <= 2);
  CHECK(without_colour("a\x1b[1") == "a");
}

TEST_CASE("a line in reverse stays so behind a colour that ends") {
  CHECK(reverse_line("a\x1b[36mb\x1b[0mc") == "\x1b[7ma\x1b[36mb\x1b[0m\x1b[7mc\x1b[0m");
}

TEST_CASE("a picture puts each line in its place and wipes out what was behind it") {
  CHECK(compose_frame({"ab", "abc"}, {3, 3}) ==
        "\x1b[1;1Hab\x1b[K"
        "\x1b[2;1Habc"
        "\x1b[3;1H\x1b[K");
  CHECK(compose_frame({"abcd", "x", "y"}, {3, 1}) == "\x1b[1;1Habc");
  CHECK(compose_frame({"a"}, {0, 0}).empty());
}
