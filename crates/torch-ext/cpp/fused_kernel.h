// Operations between the matrix products of a training step, each in one pass over memory.
//
// Row i of an array of width w begins at i * w. Each function exists for float and double.
#pragma once

#include "places.h"

#include <cstdint>

namespace fused {

// Biases that repeat after `period` rows.
struct Rows {
  int64_t width;
  int64_t period;
};

// Dropout: an element of row i is kept where its random number by place (see philox.h), of 16 bits, is below `kept`, and
// then multiplied by `scale`. Without dropout `mask` is null.
struct Dropout {
  uint64_t key;
  uint32_t kept; // the probability to be kept, in units of 2^-16
  double scale;
  uint8_t* mask; // 1 where an element was kept: written by add_bias, read by bias_backward
  Places places;
};

// u += bias for rows begin..end; y = u sigmoid(u) as well unless y is null. Dropout applies to y, or else to u.
void add_bias(float* u, float* y, const float* bias, Rows rows, Dropout dropout, int64_t begin, int64_t end);
void add_bias(double* u, double* y, const double* bias, Rows rows, Dropout dropout, int64_t begin, int64_t end);

// Columns begin..end of `count` rows: grad_u = grad_y dropout' silu'(u); u is null where there is no activation, and
// grad_u where there is no dropout either. sums += the gradient of the bias.
template <typename T>
struct BiasBackward {
  const T* grad_y;
  const T* u;
  T* grad_u;
  T* sums; // [period, width]
  Dropout dropout;
};
void bias_backward(const BiasBackward<float>& of, Rows rows, int64_t count, int64_t begin, int64_t end);
void bias_backward(const BiasBackward<double>& of, Rows rows, int64_t count, int64_t begin, int64_t end);

// The log density of targets under Gaussian laws, or Laplace laws without noise: `group` rows make a window, `width`
// is M.
template <typename T>
struct Density {
  bool laplace;
  const T* head; // [N, 2M]: locations, then raw log scales: log scale = bound tanh(raw / bound)
  T bound;
  const T* skip; // [N, M], added to the location, or null
  const T* target; // [N, M]
  const T* observed; // [N, M], 0 where missing, or null
  const T* signal; // [B], or null for 1
  const T* noise_std; // [B], or null for 0
  T* log_density; // [B]
  T* slopes; // [N, 2M]: in head
};
void density(const Density<float>& of, int64_t width, int64_t group, int64_t begin, int64_t end);
void density(const Density<double>& of, int64_t width, int64_t group, int64_t begin, int64_t end);

// grad_head = slopes * grad of the row's window; grad_skip, unless null, is its first half.
template <typename T>
struct DensityBackward {
  const T* slopes;
  const T* grad; // [B]
  T* grad_head;
  T* grad_skip;
};
void density_backward(const DensityBackward<float>& of, int64_t width, int64_t group, int64_t begin, int64_t end);
void density_backward(const DensityBackward<double>& of, int64_t width, int64_t group, int64_t begin, int64_t end);

// In f64, which the square of an f32 cannot overflow.
double sum_of_squares(const float* x, int64_t count);

} // namespace fused
