// Random tensors by place, with a key from torch's generator: its state alone decides what comes, and any number of
// threads gives the same bits.
#include "bridge.h"
#include "key.h"
#include "noise_kernel.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

namespace {

// Least number of elements for a thread of their own.
constexpr int64_t GRAIN = 16384;

} // namespace

// Fills a contiguous tensor [.., width] of f32.
extern "C" char* torch_ext_laplace(const at::Tensor* tensor, const Places places) {
  return bridge::guarded([&] {
    const int64_t width = tensor->size(-1);
    if (tensor->numel() == 0) {
      return;
    }
    const uint64_t key = noise::key();
    float* const to = tensor->data_ptr<float>();
    at::parallel_for(0, tensor->numel() / width, GRAIN / width + 1, [&](int64_t begin, int64_t end) {
      noise::laplace(key, places, to, width, begin, end);
    });
  });
}

// The bits behind all of it, for a test: rows begin..end.
extern "C" void torch_ext_random_bits(uint64_t key, uint32_t* to, int64_t width, int64_t begin, int64_t end) {
  noise::bits(key, to, width, begin, end);
}
