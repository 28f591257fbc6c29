// Operations between the matrix products of a training step, compiled for several vector widths.
#include "fused_kernel.h"
#include "philox.h"
#include "vector.h"

namespace fused {
namespace {

using vector::hyperbolic;
using vector::logarithm;
using vector::powers;
using vector::root;
using vector::sigmoid;

// Columns are done in pieces of this size, whose terms wait here to be added up.
constexpr int64_t PIECE = 64;

template <typename T>
INLINE void add_bias_of(T* u, T* y, const T* bias, Rows rows, Dropout dropout, int64_t begin, int64_t end) {
  const int64_t width = rows.width;
  const T scale = dropout.scale;
  uint32_t numbers[philox::BLOCK];
  for (int64_t row = begin; row < end; ++row) {
    const T* __restrict b = bias + (row % rows.period) * width;
    T* __restrict to = u + row * width;
    if (y == nullptr) {
      INDEPENDENT
      for (int64_t j = 0; j < width; ++j) {
        to[j] += b[j];
      }
    } else {
      T* __restrict out = y + row * width;
      INDEPENDENT
      for (int64_t j = 0; j < width; ++j) {
        const T x = to[j] + b[j];
        to[j] = x;
        out[j] = x * sigmoid(x);
      }
    }
    if (dropout.mask == nullptr) {
      continue;
    }
    // A block gives two numbers of 16 bits for each of its own.
    for (int64_t from = 0; from < width; from += philox::BLOCK) {
      const int64_t rest = width - from, count = rest < philox::BLOCK ? rest : philox::BLOCK;
      if (from % (2 * philox::BLOCK) == 0) {
        philox::block(dropout.key, dropout.places.at(row), from / (2 * philox::BLOCK), numbers);
      } else {
        for (int64_t j = 0; j < philox::BLOCK; ++j) {
          numbers[j] >>= 16;
        }
      }
      T* __restrict result = (y == nullptr ? u : y) + row * width + from;
      uint8_t* __restrict mask = dropout.mask + row * width + from;
      INDEPENDENT
      for (int64_t j = 0; j < count; ++j) {
        const bool kept = (numbers[j] & 0xffffu) < dropout.kept;
        mask[j] = kept;
        result[j] *= kept ? scale : 0;
      }
    }
  }
}

template <typename T>
INLINE void bias_backward_of(
    const BiasBackward<T>& of, Rows rows, int64_t count, int64_t begin, int64_t end) {
  const int64_t width = rows.width;
  const T scale = of.dropout.scale;
  for (int64_t row = 0; row < count; ++row) {
    const T* grad = of.grad_y + row * width;
    T* __restrict sums = of.sums + (row % rows.period) * width;
    if (of.grad_u == nullptr) {
      INDEPENDENT
      for (int64_t j = begin; j < end; ++j) {
        sums[j] += grad[j];
      }
      continue;
    }
    T* to = of.grad_u + row * width;
    if (of.dropout.mask != nullptr) {
      const uint8_t* __restrict mask = of.dropout.mask + row * width;
      INDEPENDENT
      for (int64_t j = begin; j < end; ++j) {
        to[j] = grad[j] * (mask[j] != 0 ? scale : 0);
      }
      grad = to;
    }
    if (of.u == nullptr) {
      INDEPENDENT
      for (int64_t j = begin; j < end; ++j) {
        sums[j] += to[j];
      }
      continue;
    }
    const T* __restrict u = of.u + row * width;
    INDEPENDENT
    for (int64_t j = begin; j < end; ++j) {
      const T s = sigmoid(u[j]);
      const T g = grad[j] * (s + s * u[j] * (1 - s));
      to[j] = g;
      sums[j] += g;
    }
  }
}

constexpr double HALF_LN_2PI = 0.9189385332046727;
constexpr double LN_2 = 0.6931471805599453;
constexpr int64_t LANES = 8;

// A sum in the same order at every vector width.
template <typename T>
struct Sum {
  T parts[LANES] = {};

  INLINE_MEMBER void add(const T* __restrict terms, int64_t count) {
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
      for (int64_t lane = 0; lane < LANES; ++lane) {
        parts[lane] += terms[i + lane];
      }
    }
    for (; i < count; ++i) {
      parts[i % LANES] += terms[i];
    }
  }

  INLINE_MEMBER T total() const {
    T sum = 0;
    for (int64_t lane = 0; lane < LANES; ++lane) {
      sum += parts[lane];
    }
    return sum;
  }
};

template <typename T>
INLINE void density_of(const Density<T>& of, int64_t width, int64_t group, int64_t begin, int64_t end) {
  const T bound = of.bound, inverse = 1 / of.bound, constant = HALF_LN_2PI;
  T terms[PIECE];
  for (int64_t window = begin; window < end; ++window) {
    Sum<T> sum;
    const T signal = of.signal == nullptr ? 1 : of.signal[window];
    const T noise = of.noise_std == nullptr ? 0 : of.noise_std[window];
    const T noise_variance = noise * noise, power = signal * signal;
    for (int64_t row = window * group; row < (window + 1) * group; ++row) {
      for (int64_t from = 0; from < width; from += PIECE) {
        const int64_t count = width - from < PIECE ? width - from : PIECE;
        const int64_t at = row * width + from;
        const T* __restrict head = of.head + row * 2 * width + from;
        const T* __restrict target = of.target + at;
        T* __restrict slopes = of.slopes + row * 2 * width + from;
        T locations[PIECE];
        for (int64_t j = 0; j < count; ++j) {
          locations[j] = of.skip == nullptr ? head[j] : head[j] + of.skip[at + j];
        }
        if (of.laplace) {
          INDEPENDENT
          for (int64_t j = 0; j < count; ++j) {
            const T tanh = hyperbolic(head[width + j] * inverse);
            const T log_scale = bound * tanh;
            const T precision = powers(-log_scale).exp;
            const T residual = target[j] - locations[j];
            const T r = (residual < 0 ? -residual : residual) * precision;
            const T sign = residual < 0 ? T(-1) : (residual > 0 ? T(1) : T(0));
            terms[j] = -r - log_scale - T(LN_2);
            slopes[j] = sign * precision;
            slopes[width + j] = (r - 1) * (1 - tanh * tanh);
          }
        } else {
          INDEPENDENT
          for (int64_t j = 0; j < count; ++j) {
            const T tanh = hyperbolic(head[width + j] * inverse);
            const T own = power * powers(2 * bound * tanh).exp; // (a sigma)^2
            const T variance = own + noise_variance;
            const T precision = 1 / root(variance);
            const T r = (target[j] - signal * locations[j]) * precision;
            terms[j] = T(-0.5) * (r * r + logarithm(variance)) - constant;
            slopes[j] = signal * r * precision;
            slopes[width + j] = own * precision * precision * (r * r - 1) * (1 - tanh * tanh);
          }
        }
        if (of.observed != nullptr) {
          const T* __restrict observed = of.observed + at;
          // Not a product with the mask: 0 NaN is NaN.
          for (int64_t j = 0; j < count; ++j) {
            const bool kept = observed[j] != 0;
            terms[j] = kept ? terms[j] : 0;
            slopes[j] = kept ? slopes[j] : 0;
            slopes[width + j] = kept ? slopes[width + j] : 0;
          }
        }
        sum.add(terms, count);
      }
    }
    of.log_density[window] = sum.total();
  }
}

template <typename T>
INLINE void density_backward_of(
    const DensityBackward<T>& of, int64_t width, int64_t group, int64_t begin, int64_t end) {
  for (int64_t window = begin; window < end; ++window) {
    const T grad = of.grad[window];
    for (int64_t row = window * group; row < (window + 1) * group; ++row) {
      const T* __restrict slopes = of.slopes + row * 2 * width;
      T* __restrict head = of.grad_head + row * 2 * width;
      INDEPENDENT
      for (int64_t j = 0; j < 2 * width; ++j) {
        head[j] = grad * slopes[j];
      }
      if (of.grad_skip != nullptr) {
        T* __restrict skip = of.grad_skip + row * width;
        INDEPENDENT
        for (int64_t j = 0; j < width; ++j) {
          skip[j] = head[j];
        }
      }
    }
  }
}

} // namespace

#define FOR_EACH_KIND(define) define(float) define(double)

#define KERNELS(T)                                                                              \
  EVERY_WIDTH void add_bias(                                                                    \
      T* u, T* y, const T* bias, Rows rows, Dropout dropout, int64_t begin, int64_t end) {      \
    add_bias_of(u, y, bias, rows, dropout, begin, end);                                         \
  }                                                                                             \
  EVERY_WIDTH void bias_backward(                                                               \
      const BiasBackward<T>& of, Rows rows, int64_t count, int64_t begin, int64_t end) {        \
    bias_backward_of(of, rows, count, begin, end);                                              \
  }                                                                                             \
  EVERY_WIDTH void density(                                                                     \
      const Density<T>& of, int64_t width, int64_t group, int64_t begin, int64_t end) {         \
    density_of(of, width, group, begin, end);                                                   \
  }                                                                                             \
  EVERY_WIDTH void density_backward(                                                            \
      const DensityBackward<T>& of, int64_t width, int64_t group, int64_t begin, int64_t end) { \
    density_backward_of(of, width, group, begin, end);                                          \
  }

FOR_EACH_KIND(KERNELS)

EVERY_WIDTH double sum_of_squares(const float* x, int64_t count) {
  constexpr int64_t lanes = 32;
  double parts[lanes] = {};
  const int64_t whole = count / lanes * lanes;
  for (int64_t i = 0; i < whole; i += lanes) {
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const double value = x[i + lane];
      parts[lane] += value * value;
    }
  }
  for (int64_t i = whole; i < count; ++i) {
    parts[i - whole] += static_cast<double>(x[i]) * x[i];
  }
  double sum = 0;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    sum += parts[lane];
  }
  return sum;
}

} // namespace fused
