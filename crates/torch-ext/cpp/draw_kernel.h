// The arithmetic between the tanh, exp and expm1 of a Gaussian draw: each operation rounds once, as it would in a
// tensor operation of its own, because this file is compiled without fused multiply-add.
//
// Parameters are rows of 2Z numbers, means and then raw log standard deviations; every other array has rows of Z.
#pragma once

#include <cstdint>

namespace draw {

struct Shape {
  int64_t width; // Z
  float bound; // log_std = bound tanh(raw / bound)
  float inverse; // 1 / bound
};

// Arrays without a prior are null; `relative` adds the prior's parameters to the own ones.
struct Split {
  const float* own;
  const float* prior;
  bool relative;
  float* mean;
  float* raw; // times `inverse`
  float* prior_raw; // times `inverse`
  float* offset; // mean - prior mean
};
void split(const Split& of, Shape shape, int64_t begin, int64_t end);

struct Scales {
  const float* tanh;
  const float* prior_tanh;
  float* log_std;
  float* minus_prior_log_std;
  float* twice_log_ratio; // 2 (log_std - prior log_std)
};
void scales(const Scales& of, Shape shape, int64_t begin, int64_t end);

struct Divergence {
  const float* mean; // without a prior
  const float* offset; // with one
  const float* prior_precision; // 1 / sigma of the prior
  const float* expm1; // of twice_log_ratio
  const float* twice_log_ratio;
  float* standardized; // offset / sigma of the prior
  float* divergence;
};
void divergence(const Divergence& of, Shape shape, int64_t begin, int64_t end);

struct Backward {
  const float* grad_sample;
  const float* grad_divergence;
  const float* mean;
  const float* offset;
  const float* prior_precision;
  const float* standardized;
  const float* expm1;
  const float* deviation;
  const float* noise;
  float* grad_own; // the means
  float* grad_prior; // the means
  float* grad_tanh;
  float* grad_prior_tanh;
};
void backward(const Backward& of, Shape shape, int64_t begin, int64_t end);

struct Join {
  const float* grad_raw;
  const float* grad_prior_raw;
  bool relative;
  float* grad_own;
  float* grad_prior;
};
void join(const Join& of, Shape shape, int64_t begin, int64_t end);

} // namespace draw
