// The elementwise part of a step of a GRU, between the matrix products.
#pragma once

#include <cstdint>

namespace gru {

// The rows of one step. Row i of an array of width w begins at i * w.
template <typename T>
struct Forward {
  const T* bias; // [4H]: both biases of r, both of z, that of n's input, that of n's recurrence
  T* gates; // [B, 3H]: W x on entry, the gates r, z and n on return
  const T* hidden; // [B, 3H]: U h
  T* recurrent; // [B, H]: on return U_n h + b_n, or null where no gradient will be asked for
  const T* before; // [B, H]: h of the step before
  T* after; // [B, H]: h of this step
};

template <typename T>
struct Backward {
  const T* gates;
  const T* recurrent;
  const T* before;
  const T* grad_output; // [B, H], or null for zeros
  T* grad_state; // [B, H]: dh on entry without grad_output; z dh on return
  T* grad_gates; // [B, 4H]: on return those of n's input, r, z, n's recurrence, before activation
};

// The widest vectors that this processor has: 0 the compiler's default, 1 AVX2, 2 AVX-512.
int widest();

void forward(const Forward<float>& step, int64_t begin, int64_t end, int64_t hidden, int width);
void forward(const Forward<double>& step, int64_t begin, int64_t end, int64_t hidden, int width);
void backward(const Backward<float>& step, int64_t begin, int64_t end, int64_t hidden, int width);
void backward(const Backward<double>& step, int64_t begin, int64_t end, int64_t hidden, int width);

} // namespace gru
