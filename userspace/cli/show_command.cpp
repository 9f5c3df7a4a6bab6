// `dptrace show FILE` prints a recording as the live trace would have been printed.
#include "cli/commands.hpp"
#include "decode/decode.hpp"
#include "record/reader.hpp"
#include "run/exit_status.hpp"
#include "run/session.hpp"

namespace dptrace {

int run_show(const ShowCommand& command) {
  auto reader = record::Reader::open(command.file);
  if (!reader) return fail(reader.error());
  Session session(command.show, reader->pods(), reader->names());
  std::optional<Error> error;
  while (!session.is_done() && !error) {
    auto record = reader->next();
    if (!record) {
      error = record.error();
    } else if (!*record) {
      break;
    } else if (auto event = decode(**record)) {
      session.take(*event);
    } else {
      error = event.error();
    }
  }
  // What the live trace told while it waited for more is told so, too.
  if (!error && !session.is_done()) session.advance(reader->summary().told_until_ns);
  session.finish(reader->summary());
  const int status = session.exit_status();
  return error ? fail(*error) : status;
}

}  // namespace dptrace
