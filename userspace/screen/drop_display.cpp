#include "screen/drop_display.hpp"

namespace dptrace {

DropDisplay::DropDisplay(std::unique_ptr<Terminal> terminal, const Names& names,
                         DropScreen::Options options)
    : terminal_(std::move(terminal)), screen_(names, options) {
  draw();
}

bool DropDisplay::handle_input() {
  const Terminal::Input input = terminal_->take_input();
  if (input.closed) return false;
  const auto keys = decoder_.feed(input.bytes);
  for (const Key& key : keys) {
    if (!screen_.press(key)) return false;
  }
  return (keys.empty() && !input.redraw) || draw();
}

bool DropDisplay::show(DropTable table) {
  screen_.show(std::move(table));
  return draw();
}

bool DropDisplay::draw() {
  const ScreenSize size = terminal_->size();
  screen_.resize(size);
  return terminal_->show(compose_frame(screen_.lines(), size));
}

}  // namespace dptrace
