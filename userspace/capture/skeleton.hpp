// The BPF object and its links are values that clean up after themselves.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <memory>

#include "dptrace/config.h"
#include "dptrace/drops.h"
#include "dptrace/nft_layout.h"
#include "os/deleter.hpp"
#include "os/owned_fd.hpp"

// The skeleton uses the types of the headers above without including them.
#include "dptrace.skel.h"

namespace dptrace {

using Skeleton = std::unique_ptr<dptrace_bpf, Deleter<dptrace_bpf::destroy>>;
using BpfLink = std::unique_ptr<bpf_link, Deleter<bpf_link__destroy>>;

}  // namespace dptrace
