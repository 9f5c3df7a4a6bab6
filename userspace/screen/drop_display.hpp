// DropDisplay is the display of `dptrace drops` on the terminal: it takes tables and keys, and
// draws pictures.
#pragma once

#include <memory>
#include <string>

#include "screen/drop_screen.hpp"
#include "screen/keys.hpp"
#include "screen/terminal.hpp"

namespace dptrace {

class DropDisplay {
 public:
  DropDisplay(std::unique_ptr<Terminal> terminal, const Names& names, DropScreen::Options options);

  /// The descriptor becomes readable when there is something for handle_input().
  int fd() const { return terminal_->fd(); }
  /// False when the user wants to quit, or is gone.
  [[nodiscard]] bool handle_input();
  /// False when the user is gone.
  [[nodiscard]] bool show(DropTable table);
  /// Shows a warning; on standard error it would be wiped out.
  void tell(std::string text) { screen_.tell(std::move(text)); }

 private:
  bool draw();

  std::unique_ptr<Terminal> terminal_;
  DropScreen screen_;
  KeyDecoder decoder_;
};

}  // namespace dptrace
