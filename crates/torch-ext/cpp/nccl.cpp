// NCCL, the backend of groups whose tensors are on GPUs. It is compiled where the headers of CUDA are, into a library of
// its own that is opened once CUDA is there.
#include "bridge.h"

#define USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

extern "C" char* torch_ext_nccl_new(
    const c10::intrusive_ptr<c10d::Store>* store,
    const int rank,
    const int world,
    const int64_t timeout_ms,
    c10::intrusive_ptr<c10d::Backend>* backend) {
  return bridge::guarded([&] {
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = std::chrono::milliseconds(timeout_ms);
    *backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(*store, rank, world, options);
  });
}
