// NftLibrary is libnftables, which prints the rules of nftables as `nft list` does. It is opened
// when the first rule is to be told: few traces need it, and it brings other libraries along.
#pragma once

#include <nftables/libnftables.h>

#include "model/result.hpp"

namespace dptrace {

struct NftLibrary {
  decltype(&nft_ctx_new) context_new;
  decltype(&nft_ctx_free) context_free;
  decltype(&nft_ctx_buffer_output) buffer_output;
  decltype(&nft_ctx_buffer_error) buffer_error;
  decltype(&nft_ctx_output_set_flags) set_flags;
  decltype(&nft_run_cmd_from_buffer) run;
  decltype(&nft_ctx_get_output_buffer) output;
  decltype(&nft_ctx_get_error_buffer) error;

  /// The library, opened by the first call; an error says why it cannot be had.
  static const Result<NftLibrary>& get();
};

}  // namespace dptrace
