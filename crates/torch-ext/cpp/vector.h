// Arithmetic that a compiler vectorizes: in f32 our own, in f64 that of the C library.
//
// Everything is inlined into functions compiled for one vector width: a function of the standard
// library, compiled for AVX-512, might otherwise be the one that the linker keeps for all.
#pragma once

#include <cstdint>

#if defined(__x86_64__) && defined(__GNUC__)
#define WIDTHS 1
#endif

#define INLINE_MEMBER inline __attribute__((always_inline))
#define INLINE static INLINE_MEMBER

// No element depends on another. Without this, compilers check all arrays for overlap, or give up.
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

// Compiled for the compiler's default, AVX2 and AVX-512; the processor chooses at run time.
#ifdef WIDTHS
#define EVERY_WIDTH __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define EVERY_WIDTH
#endif

namespace vector {

// e^y = 2^k (1 + p) with p = e^r - 1, |r| <= ln 2 / 2, by the series of e^r to r^7,
// whose remainder is below 6e-9. NaN comes out as NaN: no comparison holds for it.
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

// e^x - 1 to full relative accuracy, and e^x.
struct Powers {
  float exp;
  float expm1;
};

INLINE Powers powers(float x) {
  const auto e = exponential(x, -87.0f, 88.0f);
  const float rest = e.power * e.p;
  return {e.power + rest, rest + (e.power - 1.0f)};
}

struct DoublePowers {
  double exp;
  double expm1;
};

INLINE DoublePowers powers(double x) {
  return {__builtin_exp(x), __builtin_expm1(x)};
}

// ln x of a normal number: x = 2^k m with m around 1, ln m = 2 atanh((m - 1) / (m + 1)) by its
// series to the ninth power, whose remainder is 6e-10 of it. Not for zero, infinity and NaN.
INLINE float logarithm(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  const uint32_t shifted = bits - 0x3f3504f3u; // the root of one half
  const float k = static_cast<float>(static_cast<int32_t>(shifted) >> 23);
  bits = (shifted & 0x007fffffu) + 0x3f3504f3u;
  float m;
  __builtin_memcpy(&m, &bits, sizeof m);
  const float s = (m - 1.0f) / (m + 1.0f);
  const float z = s * s;
  float tail = 1.0f / 9;
  tail = tail * z + 1.0f / 7;
  tail = tail * z + 1.0f / 5;
  tail = tail * z + 1.0f / 3;
  return k * 0.693147180559945f + (2.0f * s + 2.0f * s * z * tail);
}

INLINE double logarithm(double x) {
  return __builtin_log(x);
}

INLINE float root(float x) {
  return __builtin_sqrtf(x);
}

INLINE double root(double x) {
  return __builtin_sqrt(x);
}

} // namespace vector
