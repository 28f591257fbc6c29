// See the header; compiled for several vector widths, which all give the same bits.
#include "noise_kernel.h"
#include "philox.h"

namespace noise {

EVERY_WIDTH void bits(uint64_t key, uint32_t* to, int64_t width, int64_t begin, int64_t end) {
  uint32_t numbers[philox::BLOCK];
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t from = 0; from < width; from += philox::BLOCK) {
      philox::block(key, row, from / philox::BLOCK, numbers);
      const int64_t count = width - from < philox::BLOCK ? width - from : philox::BLOCK;
      for (int64_t j = 0; j < count; ++j) {
        to[row * width + from + j] = numbers[j];
      }
    }
  }
}

EVERY_WIDTH void laplace(
    uint64_t key, Places places, float* to, int64_t width, int64_t begin, int64_t end) {
  uint32_t numbers[philox::BLOCK];
  float draws[philox::BLOCK];
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t from = 0; from < width; from += philox::BLOCK) {
      philox::block(key, places.at(row), from / philox::BLOCK, numbers);
      INDEPENDENT
      for (int64_t j = 0; j < philox::BLOCK; ++j) {
        // 31 bits make u, and the last one the sign.
        const float u = (static_cast<float>(static_cast<int32_t>(numbers[j] >> 1)) + 0.5f) * 0x1p-31f;
        const float size = -vector::logarithm(u);
        draws[j] = (numbers[j] & 1u) != 0 ? -size : size;
      }
      const int64_t count = width - from < philox::BLOCK ? width - from : philox::BLOCK;
      float* __restrict out = to + row * width + from;
      for (int64_t j = 0; j < count; ++j) {
        out[j] = draws[j];
      }
    }
  }
}

} // namespace noise
