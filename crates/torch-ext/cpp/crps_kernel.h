// The CRPS of draws as a loss: see crps.cpp.
#pragma once

#include <cstdint>

namespace crps {

// `draws` S even; rows of `width` M, of which each draw has `rows`.
struct Shape {
  int64_t draws;
  int64_t rows;
  int64_t width;
};

template <typename T>
struct Loss {
  const T* head; // [S, rows, 2M]: locations, then raw log scales: log scale = bound tanh(raw / bound)
  T bound;
  const T* skip; // [rows, M], added to the locations, or null
  const T* noise; // [S, rows, M]
  const T* truth; // [rows, M]
  T* result; // [rows, M]
  T* slopes; // [S, rows, 2M]: in head
};
void loss(const Loss<float>& of, Shape shape, int64_t begin, int64_t end);
void loss(const Loss<double>& of, Shape shape, int64_t begin, int64_t end);

// grad_head = slopes * grad; grad_skip, unless null, is the sum of its first halves over the draws.
template <typename T>
struct Backward {
  const T* slopes;
  const T* grad; // [rows, M]
  T* grad_head;
  T* grad_skip;
};
void backward(const Backward<float>& of, Shape shape, int64_t begin, int64_t end);
void backward(const Backward<double>& of, Shape shape, int64_t begin, int64_t end);

} // namespace crps
