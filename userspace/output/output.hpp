// An output writes finished packets: one class per format behind this interface.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/names.hpp"
#include "model/packet.hpp"
#include "model/summary.hpp"

namespace dptrace {

/// The options of the output that the user gave.
struct OutputOptions {
  std::vector<Address> pods;  ///< addresses of --pod-ip, which give a packet its direction
  bool verbose = false;
  bool colour = false;
};

/// A sink takes bytes for standard output. write() returns false when the reader has gone away.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual bool write(std::string_view text) = 0;
};

class Output {
 public:
  virtual ~Output() = default;
  /// Writes one packet. False when nobody reads any more.
  virtual bool packet(const Packet& packet, const Names& names) = 0;
  virtual bool summary(const Summary& summary, const Names& names) = 0;
};

std::unique_ptr<Output> make_text_output(Sink& sink, OutputOptions options);
std::unique_ptr<Output> make_json_output(Sink& sink, OutputOptions options);

}  // namespace dptrace
