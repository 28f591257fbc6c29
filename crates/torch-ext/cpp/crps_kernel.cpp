// See the header; rows begin..end, compiled for several vector widths.
#include "crps_kernel.h"
#include "vector.h"

namespace crps {
namespace {

using vector::hyperbolic;
using vector::powers;

// Columns are done in pieces of this size.
constexpr int64_t PIECE = 64;

template <typename T>
INLINE T sign(T x) {
  return x < 0 ? T(-1) : (x > 0 ? T(1) : T(0));
}

template <typename T>
INLINE T size(T x) {
  return x < 0 ? -x : x;
}

// Draws x, and their slope in the raw log scale.
template <typename T>
INLINE void draw(
    const Loss<T>& of, Shape shape, int64_t which, int64_t row, int64_t from, int64_t count, T* __restrict x,
    T* __restrict slope) {
  const T bound = of.bound, inverse = 1 / of.bound;
  const int64_t width = shape.width, place = which * shape.rows + row;
  const T* __restrict head = of.head + place * 2 * width + from;
  const T* __restrict noise = of.noise + place * width + from;
  INDEPENDENT
  for (int64_t j = 0; j < count; ++j) {
    const T tanh = hyperbolic(head[width + j] * inverse);
    const T apart = powers(bound * tanh).exp * noise[j];
    x[j] = head[j] + apart;
    slope[j] = apart * (1 - tanh * tanh);
  }
  if (of.skip == nullptr) {
    return;
  }
  const T* __restrict skip = of.skip + row * width + from;
  INDEPENDENT
  for (int64_t j = 0; j < count; ++j) {
    x[j] += skip[j];
  }
}

template <typename T>
INLINE void loss_of(const Loss<T>& of, Shape shape, int64_t begin, int64_t end) {
  const int64_t width = shape.width, half = shape.draws / 2;
  const T share = T(1) / T(shape.draws);
  T x[2][PIECE], slope[2][PIECE], sums[PIECE];
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t from = 0; from < width; from += PIECE) {
      const int64_t count = width - from < PIECE ? width - from : PIECE;
      const T* __restrict truth = of.truth + row * width + from;
      T* __restrict result = of.result + row * width + from;
      for (int64_t j = 0; j < count; ++j) {
        sums[j] = 0;
      }
      for (int64_t first = 0; first < half; ++first) {
        draw(of, shape, first, row, from, count, x[0], slope[0]);
        draw(of, shape, first + half, row, from, count, x[1], slope[1]);
        T* __restrict slopes = of.slopes + (first * shape.rows + row) * 2 * width + from;
        T* __restrict others = of.slopes + ((first + half) * shape.rows + row) * 2 * width + from;
        INDEPENDENT
        for (int64_t j = 0; j < count; ++j) {
          const T one = x[0][j] - truth[j], other = x[1][j] - truth[j], apart = x[0][j] - x[1][j];
          sums[j] += size(one) + size(other) - size(apart);
          const T slope_0 = (sign(one) - sign(apart)) * share, slope_1 = (sign(other) + sign(apart)) * share;
          slopes[j] = slope_0;
          slopes[width + j] = slope_0 * slope[0][j];
          others[j] = slope_1;
          others[width + j] = slope_1 * slope[1][j];
        }
      }
      for (int64_t j = 0; j < count; ++j) {
        result[j] = sums[j] * share;
      }
    }
  }
}

template <typename T>
INLINE void backward_of(const Backward<T>& of, Shape shape, int64_t begin, int64_t end) {
  const int64_t width = shape.width;
  for (int64_t row = begin; row < end; ++row) {
    const T* __restrict grad = of.grad + row * width;
    T* __restrict skip = of.grad_skip == nullptr ? nullptr : of.grad_skip + row * width;
    for (int64_t which = 0; which < shape.draws; ++which) {
      const int64_t at = (which * shape.rows + row) * 2 * width;
      const T* __restrict slopes = of.slopes + at;
      T* __restrict head = of.grad_head + at;
      INDEPENDENT
      for (int64_t j = 0; j < width; ++j) {
        head[j] = slopes[j] * grad[j];
        head[width + j] = slopes[width + j] * grad[j];
      }
      if (skip == nullptr) {
        continue;
      }
      if (which == 0) {
        for (int64_t j = 0; j < width; ++j) {
          skip[j] = head[j];
        }
      } else {
        INDEPENDENT
        for (int64_t j = 0; j < width; ++j) {
          skip[j] += head[j];
        }
      }
    }
  }
}

} // namespace

#define KERNELS(T)                                                                              \
  EVERY_WIDTH void loss(const Loss<T>& of, Shape shape, int64_t begin, int64_t end) {           \
    loss_of(of, shape, begin, end);                                                             \
  }                                                                                             \
  EVERY_WIDTH void backward(const Backward<T>& of, Shape shape, int64_t begin, int64_t end) {   \
    backward_of(of, shape, begin, end);                                                         \
  }

KERNELS(float)
KERNELS(double)

} // namespace crps
