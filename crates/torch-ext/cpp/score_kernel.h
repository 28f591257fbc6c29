// Scores of samples against what happened. Samples come first: sample s of element i is at s * count + i.
#pragma once

#include <cstdint>

namespace score {

// Elements begin..end of `draws` samples in ascending order; returns how many of their samples are not finite.
int64_t sort(const float* samples, float* sorted, int64_t draws, int64_t count, int64_t begin, int64_t end);
int64_t sort(const double* samples, double* sorted, int64_t draws, int64_t count, int64_t begin, int64_t end);

// The CRPS of sorted samples: mean |x_i - y| - 1/divisor sum (2i - S - 1)(x_(i) - y), i from 1.
template <typename T>
struct Crps {
  const T* sorted;
  const double* truth;
  double divisor;
  double* result;
};
void crps(const Crps<float>& of, int64_t draws, int64_t count, int64_t begin, int64_t end);
void crps(const Crps<double>& of, int64_t draws, int64_t count, int64_t begin, int64_t end);

// The energy score of windows begin..end of `width` numbers each: mean |x_i - y| - 1/divisor sum over pairs |x_i - x_j|.
template <typename T>
struct Energy {
  const T* samples; // [draws, windows, width]
  const double* truth; // [windows, width]
  double divisor;
  double* result; // [windows]
};
void energy(const Energy<float>& of, int64_t draws, int64_t windows, int64_t width, int64_t begin, int64_t end);
void energy(const Energy<double>& of, int64_t draws, int64_t windows, int64_t width, int64_t begin, int64_t end);

// Sums over the observed elements of each window.
constexpr int64_t LEVELS = 19; // k/20
constexpr int64_t MEDIAN = 9;
enum Sum { OBSERVED, MAGNITUDE, QUANTILE_LOSS, CRPS, MEDIAN_ERROR, SQUARED_ERROR, INSIDE_50, INSIDE_80, INSIDE_90, WIDTH_90, BELOW };
constexpr int64_t SUMS = BELOW + LEVELS;

template <typename T>
struct Windows {
  const T* sorted; // [draws, windows, width]
  const double* truth; // [windows, width]
  const bool* observed; // [windows, width]
  double* sums; // [windows, SUMS]
};
void windows(const Windows<float>& of, int64_t draws, int64_t count, int64_t width, int64_t begin, int64_t end);
void windows(const Windows<double>& of, int64_t draws, int64_t count, int64_t width, int64_t begin, int64_t end);

} // namespace score
