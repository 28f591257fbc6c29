// The elementwise part of a GRU, compiled for several vector widths and chosen at run time.
#include "gru_kernel.h"
#include "vector.h"

namespace gru {
namespace {

using vector::hyperbolic;
using vector::sigmoid;

template <typename T>
INLINE void forward_rows(const Forward<T>& step, int64_t begin, int64_t end, int64_t width) {
  const T* __restrict bias = step.bias;
  for (int64_t row = begin; row < end; ++row) {
    T* __restrict r = step.gates + row * 3 * width;
    T* __restrict z = r + width;
    T* __restrict n = z + width;
    const T* __restrict hidden = step.hidden + row * 3 * width;
    const T* __restrict before = step.before + row * width;
    T* __restrict after = step.after + row * width;
    INDEPENDENT
    for (int64_t j = 0; j < width; ++j) {
      r[j] = sigmoid(r[j] + hidden[j] + bias[j]);
      z[j] = sigmoid(z[j] + hidden[width + j] + bias[width + j]);
    }
    if (step.recurrent != nullptr) {
      T* __restrict recurrent = step.recurrent + row * width;
      INDEPENDENT
      for (int64_t j = 0; j < width; ++j) {
        recurrent[j] = hidden[2 * width + j] + bias[3 * width + j];
      }
    }
    INDEPENDENT
    for (int64_t j = 0; j < width; ++j) {
      const T recurrent = hidden[2 * width + j] + bias[3 * width + j];
      n[j] = hyperbolic(n[j] + bias[2 * width + j] + r[j] * recurrent);
      after[j] = n[j] + z[j] * (before[j] - n[j]);
    }
  }
}

template <typename T>
INLINE void backward_rows(const Backward<T>& step, int64_t begin, int64_t end, int64_t width) {
  for (int64_t row = begin; row < end; ++row) {
    const T* __restrict r = step.gates + row * 3 * width;
    const T* __restrict z = r + width;
    const T* __restrict n = z + width;
    const T* __restrict recurrent = step.recurrent + row * width;
    const T* __restrict before = step.before + row * width;
    T* __restrict grad_state = step.grad_state + row * width;
    T* __restrict to_n = step.grad_gates + row * 4 * width;
    T* __restrict to_r = to_n + width;
    T* __restrict to_z = to_r + width;
    T* __restrict to_recurrent = to_z + width;
    if (step.grad_output != nullptr) {
      const T* __restrict grad_output = step.grad_output + row * width;
      INDEPENDENT
      for (int64_t j = 0; j < width; ++j) {
        grad_state[j] += grad_output[j];
      }
    }
    INDEPENDENT
    for (int64_t j = 0; j < width; ++j) {
      const T grad = grad_state[j];
      const T inner = grad * (1 - z[j]) * (1 - n[j] * n[j]);
      to_n[j] = inner;
      to_r[j] = inner * recurrent[j] * r[j] * (1 - r[j]);
      to_z[j] = grad * (before[j] - n[j]) * z[j] * (1 - z[j]);
      to_recurrent[j] = inner * r[j];
      grad_state[j] = grad * z[j];
    }
  }
}

#ifdef WIDTHS
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")))

template <typename T>
AVX2 void forward_avx2(const Forward<T>& step, int64_t begin, int64_t end, int64_t width) {
  forward_rows(step, begin, end, width);
}

template <typename T>
AVX512 void forward_avx512(const Forward<T>& step, int64_t begin, int64_t end, int64_t width) {
  forward_rows(step, begin, end, width);
}

template <typename T>
AVX2 void backward_avx2(const Backward<T>& step, int64_t begin, int64_t end, int64_t width) {
  backward_rows(step, begin, end, width);
}

template <typename T>
AVX512 void backward_avx512(const Backward<T>& step, int64_t begin, int64_t end, int64_t width) {
  backward_rows(step, begin, end, width);
}
#endif

template <typename T>
void forward_of(const Forward<T>& step, int64_t begin, int64_t end, int64_t hidden, int width) {
#ifdef WIDTHS
  if (width == 2) {
    return forward_avx512(step, begin, end, hidden);
  }
  if (width == 1) {
    return forward_avx2(step, begin, end, hidden);
  }
#endif
  (void)width;
  forward_rows(step, begin, end, hidden);
}

template <typename T>
void backward_of(const Backward<T>& step, int64_t begin, int64_t end, int64_t hidden, int width) {
#ifdef WIDTHS
  if (width == 2) {
    return backward_avx512(step, begin, end, hidden);
  }
  if (width == 1) {
    return backward_avx2(step, begin, end, hidden);
  }
#endif
  (void)width;
  backward_rows(step, begin, end, hidden);
}

} // namespace

int widest() {
#ifdef WIDTHS
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx2 ? (avx512 ? 2 : 1) : 0;
#else
  return 0;
#endif
}

void forward(const Forward<float>& step, int64_t begin, int64_t end, int64_t hidden, int width) {
  forward_of(step, begin, end, hidden, width);
}
void forward(const Forward<double>& step, int64_t begin, int64_t end, int64_t hidden, int width) {
  forward_of(step, begin, end, hidden, width);
}
void backward(const Backward<float>& step, int64_t begin, int64_t end, int64_t hidden, int width) {
  backward_of(step, begin, end, hidden, width);
}
void backward(const Backward<double>& step, int64_t begin, int64_t end, int64_t hidden, int width) {
  backward_of(step, begin, end, hidden, width);
}

} // namespace gru
