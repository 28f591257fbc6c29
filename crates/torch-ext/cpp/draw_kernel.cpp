// See the header; rows begin..end of each array.
#include "draw_kernel.h"
#include "vector.h"

namespace draw {

EVERY_WIDTH void split(const Split& of, Shape shape, int64_t begin, int64_t end) {
  const int64_t width = shape.width;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t at = row * width;
    const float* __restrict own = of.own + 2 * at;
    float* __restrict mean = of.mean + at;
    float* __restrict raw = of.raw + at;
    if (of.prior == nullptr) {
      INDEPENDENT
      for (int64_t j = 0; j < width; ++j) {
        mean[j] = own[j];
        raw[j] = own[width + j] * shape.inverse;
      }
      continue;
    }
    const float* __restrict prior = of.prior + 2 * at;
    float* __restrict prior_raw = of.prior_raw + at;
    float* __restrict offset = of.offset + at;
    if (of.relative) {
      INDEPENDENT
      for (int64_t j = 0; j < width; ++j) {
        mean[j] = prior[j] + own[j];
        raw[j] = (prior[width + j] + own[width + j]) * shape.inverse;
      }
    } else {
      INDEPENDENT
      for (int64_t j = 0; j < width; ++j) {
        mean[j] = own[j];
        raw[j] = own[width + j] * shape.inverse;
      }
    }
    INDEPENDENT
    for (int64_t j = 0; j < width; ++j) {
      offset[j] = mean[j] - prior[j];
      prior_raw[j] = prior[width + j] * shape.inverse;
    }
  }
}

EVERY_WIDTH void scales(const Scales& of, Shape shape, int64_t begin, int64_t end) {
  const float* __restrict tanh = of.tanh;
  float* __restrict log_std = of.log_std;
  float* __restrict twice = of.twice_log_ratio;
  begin *= shape.width;
  end *= shape.width;
  if (of.prior_tanh == nullptr) {
    INDEPENDENT
    for (int64_t i = begin; i < end; ++i) {
      log_std[i] = tanh[i] * shape.bound;
      twice[i] = log_std[i] * 2.0f;
    }
    return;
  }
  const float* __restrict prior_tanh = of.prior_tanh;
  float* __restrict minus = of.minus_prior_log_std;
  INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    const float prior_log_std = prior_tanh[i] * shape.bound;
    log_std[i] = tanh[i] * shape.bound;
    minus[i] = -prior_log_std;
    twice[i] = (log_std[i] - prior_log_std) * 2.0f;
  }
}

EVERY_WIDTH void divergence(const Divergence& of, Shape shape, int64_t begin, int64_t end) {
  const float* __restrict expm1 = of.expm1;
  const float* __restrict twice = of.twice_log_ratio;
  float* __restrict result = of.divergence;
  begin *= shape.width;
  end *= shape.width;
  if (of.offset == nullptr) {
    const float* __restrict mean = of.mean;
    INDEPENDENT
    for (int64_t i = begin; i < end; ++i) {
      result[i] = (mean[i] * mean[i] + (expm1[i] - twice[i])) * 0.5f;
    }
    return;
  }
  const float* __restrict offset = of.offset;
  const float* __restrict precision = of.prior_precision;
  float* __restrict standardized = of.standardized;
  INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    const float s = offset[i] * precision[i];
    standardized[i] = s;
    result[i] = (s * s + (expm1[i] - twice[i])) * 0.5f;
  }
}

EVERY_WIDTH void backward(const Backward& of, Shape shape, int64_t begin, int64_t end) {
  const int64_t width = shape.width;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t at = row * width;
    const float* __restrict grad_sample = of.grad_sample + at;
    const float* __restrict grad_divergence = of.grad_divergence + at;
    const float* __restrict expm1 = of.expm1 + at;
    const float* __restrict deviation = of.deviation + at;
    const float* __restrict noise = of.noise + at;
    float* __restrict grad_own = of.grad_own + 2 * at;
    float* __restrict grad_tanh = of.grad_tanh + at;
    if (of.offset == nullptr) {
      const float* __restrict mean = of.mean + at;
      INDEPENDENT
      for (int64_t j = 0; j < width; ++j) {
        const float half = grad_divergence[j] * 0.5f;
        const float ratio = (half * (expm1[j] + 1.0f) - half) * 2.0f;
        grad_own[j] = grad_sample[j] + half * (2.0f * mean[j]);
        grad_tanh[j] = (ratio + grad_sample[j] * noise[j] * deviation[j]) * shape.bound;
      }
      continue;
    }
    const float* __restrict offset = of.offset + at;
    const float* __restrict precision = of.prior_precision + at;
    const float* __restrict standardized = of.standardized + at;
    float* __restrict grad_prior = of.grad_prior + 2 * at;
    float* __restrict grad_prior_tanh = of.grad_prior_tanh + at;
    INDEPENDENT
    for (int64_t j = 0; j < width; ++j) {
      const float half = grad_divergence[j] * 0.5f;
      const float ratio = (half * (expm1[j] + 1.0f) - half) * 2.0f;
      const float apart = half * (2.0f * standardized[j]);
      const float grad_offset = apart * precision[j];
      grad_own[j] = grad_sample[j] + grad_offset;
      grad_prior[j] = -grad_offset;
      grad_tanh[j] = (ratio + grad_sample[j] * noise[j] * deviation[j]) * shape.bound;
      grad_prior_tanh[j] = (-ratio - apart * offset[j] * precision[j]) * shape.bound;
    }
  }
}

EVERY_WIDTH void join(const Join& of, Shape shape, int64_t begin, int64_t end) {
  const int64_t width = shape.width;
  for (int64_t row = begin; row < end; ++row) {
    const float* __restrict raw = of.grad_raw + row * width;
    float* __restrict own = of.grad_own + 2 * row * width;
    INDEPENDENT
    for (int64_t j = 0; j < width; ++j) {
      own[width + j] = raw[j] * shape.inverse;
    }
    if (of.grad_prior == nullptr) {
      continue;
    }
    const float* __restrict prior_raw = of.grad_prior_raw + row * width;
    float* __restrict prior = of.grad_prior + 2 * row * width;
    INDEPENDENT
    for (int64_t j = 0; j < width; ++j) {
      prior[width + j] = prior_raw[j] * shape.inverse;
    }
    if (of.relative) {
      INDEPENDENT
      for (int64_t j = 0; j < 2 * width; ++j) {
        prior[j] += own[j];
      }
    }
  }
}

} // namespace draw
