/* The settings are constants to the verifier. */
#pragma once

#include "kernel.bpf.h"
#include "dptrace/config.h"

const volatile struct dpt_config config __weak SEC(".rodata") = {};
