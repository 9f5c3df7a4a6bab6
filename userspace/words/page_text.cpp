#include "words/page_text.hpp"

#include <algorithm>

namespace dptrace {

namespace {

constexpr std::size_t kIndent = 2;
constexpr std::string_view kItem = "- ";
constexpr std::string_view kCommand = "    ";

class PageText {
 public:
  PageText(Buffer& out, const Paint& paint) : out_(out), paint_(paint) {}

  void take(std::string_view line) {
    if (line.empty() || line.starts_with('#') || line.starts_with(kCommand)) {
      end_paragraph();
      take_whole(line);
      return;
    }
    if (line.starts_with(kItem)) {
      end_paragraph();
      begin_item();
      line.remove_prefix(kItem.size());
    }
    take_words(line);
  }

  void end_paragraph() {
    if (used_ > 0) out_.push_back('\n');
    used_ = 0;
    indent_ = kIndent;
  }

 private:
  void take_whole(std::string_view line) {
    if (line.starts_with('#')) {
      line.remove_prefix(std::min(line.find_first_not_of("# "), line.size()));
      paint_.text(out_, Style::kHead, line);
    } else if (!line.empty()) {
      append_spaces(out_, kIndent);
      append(out_, line);
    }
    out_.push_back('\n');
  }

  void begin_item() {
    append_spaces(out_, kIndent);
    append(out_, kItem);
    indent_ = kIndent + kItem.size();
    used_ = indent_;
  }

  void take_words(std::string_view line) {
    while (!line.empty()) {
      const std::size_t end = std::min(line.find(' '), line.size());
      if (end > 0) take_word(line.substr(0, end));
      line.remove_prefix(std::min(end + 1, line.size()));
    }
  }

  void take_word(std::string_view word) {
    const auto width =
        word.size() - static_cast<std::size_t>(std::count(word.begin(), word.end(), '`'));
    if (used_ > indent_ && used_ + 1 + width > kPageColumns) {
      out_.push_back('\n');
      used_ = 0;
    }
    if (used_ == 0) {
      append_spaces(out_, indent_);
      used_ = indent_;
    } else if (used_ > indent_) {
      out_.push_back(' ');
      ++used_;
    }
    append_painted(word);
    used_ += width;
  }

  // What stands between backticks may be several words, and even go on in the next line: each word
  // is coloured by itself.
  void append_painted(std::string_view word) {
    if (quoted_) paint_.begin(out_, Style::kNote);
    for (const char letter : word) {
      if (letter != '`') {
        out_.push_back(letter);
        continue;
      }
      quoted_ = !quoted_;
      if (quoted_) {
        paint_.begin(out_, Style::kNote);
      } else {
        paint_.end(out_);
      }
    }
    if (quoted_) paint_.end(out_);
  }

  Buffer& out_;
  const Paint& paint_;
  std::size_t indent_ = kIndent;
  std::size_t used_ = 0;  ///< columns of the line that is being filled; 0: none is
  bool quoted_ = false;   ///< between backticks
};

}  // namespace

void append_page(Buffer& out, std::string_view markdown, const Paint& paint) {
  PageText page(out, paint);
  while (!markdown.empty()) {
    const std::size_t end = std::min(markdown.find('\n'), markdown.size());
    page.take(markdown.substr(0, end));
    markdown.remove_prefix(std::min(end + 1, markdown.size()));
  }
  page.end_paragraph();
}

}  // namespace dptrace
