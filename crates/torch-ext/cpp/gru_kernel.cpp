// The elementwise part of a GRU, compiled for several vector widths and chosen at run time.
//
// Everything a width-specific function calls is inlined into it: a function of the standard
// library, compiled here for AVX-512, might otherwise be the one that the linker keeps for all.
#include "gru_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define WIDTHS 1
#endif

#define INLINE static inline __attribute__((always_inline))

// No element depends on another: compilers would check so many arrays for overlap, or give up.
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace gru {
namespace {

// e^y = 2^k (1 + p) with p = e^r - 1, |r| <= ln 2 / 2, by the series of e^r to r^7:
// what it leaves out is below 6e-9. NaN comes out as NaN: no comparison holds for it.
struct Exponential {
  float power; // 2^k
  float p;
};

INLINE Exponential exponential(float y, float least, float most) {
  y = y < least ? least : y;
  y = y > most ? most : y;
  const float shift = 12582912.0f; // 1.5 * 2^23: adding it rounds, and leaves k in the low bits
  const float shifted = y * 1.44269504088896341f + shift;
  const float k = shifted - shift;
  float r = y - k * 0.693145751953125f; // ln 2 in two parts; the first times k is exact
  r = r - k * 1.42860682030941723e-6f;
  float tail = 1.0f / 5040;
  tail = tail * r + 1.0f / 720;
  tail = tail * r + 1.0f / 120;
  tail = tail * r + 1.0f / 24;
  tail = tail * r + 1.0f / 6;
  tail = tail * r + 0.5f;
  uint32_t bits;
  __builtin_memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + 0x3f800000u;
  float power;
  __builtin_memcpy(&power, &bits, sizeof power);
  return {power, r + r * r * tail};
}

INLINE float sigmoid(float x) {
  const auto e = exponential(-x, -87.0f, 87.0f);
  return 1.0f / (1.0f + (e.power + e.power * e.p));
}

// (e^2x - 1) / (e^2x + 1), with e^2x - 1 to full relative accuracy near zero.
INLINE float hyperbolic(float x) {
  const auto e = exponential(2.0f * x, -20.0f, 20.0f);
  const float less_one = e.power * e.p + (e.power - 1.0f);
  return less_one / (less_one + 2.0f);
}

INLINE double sigmoid(double x) {
  return 1.0 / (1.0 + __builtin_exp(-x));
}

INLINE double hyperbolic(double x) {
  return __builtin_tanh(x);
}

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
