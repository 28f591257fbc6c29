// Conditions that the fused operations share.
#pragma once

#include <ATen/TracerMode.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>

namespace fused {

// A trace records operations, and would miss what a kernel does; autocast would change their kinds.
inline bool allowed() {
  return !at::tracer::impl::is_dispatch_enabled() && !at::autocast::is_autocast_enabled(at::kCPU);
}

inline void no_second_derivative() {
  TORCH_CHECK(
      !c10::GradMode::is_enabled(), "a fused operation has no second derivative (create_graph)");
}

} // namespace fused
