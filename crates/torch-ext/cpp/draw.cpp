// A reparameterized Gaussian draw and its divergence from a prior as one autograd node.
//
// Values and gradients are those of the tensor operations that the node replaces, bit for bit: functions are ATen's
// own, on tensors of the same sizes, and the arithmetic between them rounds at the same places.
#include "bridge.h"
#include "draw_kernel.h"
#include "fused.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/expm1.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tanh_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Maybe = std::optional<Tensor>;

// Least number of elements for a thread of their own.
constexpr int64_t GRAIN = 8192;

const float* read(const Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}

float* write(const Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr<float>() : nullptr;
}

draw::Shape shape_of(const Tensor& like, double bound) {
  return {like.size(-1), static_cast<float>(bound), static_cast<float>(1.0 / bound)};
}

// Shares the rows of a tensor [.., Z] among the threads.
template <typename Of>
void over_rows(
    void (*body)(const Of&, draw::Shape, int64_t, int64_t), const Of& of, const Tensor& like, draw::Shape shape) {
  const int64_t width = std::max<int64_t>(shape.width, 1); // of an empty tensor there are no rows
  at::parallel_for(0, like.numel() / width, GRAIN / width + 1, [&](int64_t begin, int64_t end) {
    body(of, shape, begin, end);
  });
}

struct Draw : torch::autograd::Function<Draw> {
  // own, prior [B, G, 2Z], noise [B, G, Z] -> sample, divergence [B, G, Z].
  static variable_list forward(
      AutogradContext* ctx,
      const Tensor& own,
      const Maybe& prior,
      const Tensor& noise,
      bool relative,
      double bound) {
    at::AutoDispatchBelowADInplaceOrView below;
    const auto shape = shape_of(noise, bound);
    const bool with_prior = prior.has_value();
    const auto buffer = [&] { return at::empty_like(noise); };
    const auto buffer_of_prior = [&] { return with_prior ? at::empty_like(noise) : Tensor(); };
    auto mean = buffer(), tanh = buffer(), prior_tanh = buffer_of_prior(), offset = buffer_of_prior();
    over_rows(
        draw::split,
        {read(own), with_prior ? read(*prior) : nullptr, relative, write(mean), write(tanh),
         write(prior_tanh), write(offset)},
        noise, shape);
    at::tanh_(tanh);
    if (with_prior) {
      at::tanh_(prior_tanh);
    }
    auto deviation = buffer(), twice = buffer(), precision = buffer_of_prior();
    over_rows(
        draw::scales, {read(tanh), read(prior_tanh), write(deviation), write(precision), write(twice)}, noise, shape);
    at::exp_(deviation);
    if (with_prior) {
      at::exp_(precision);
    }
    const auto expm1 = at::expm1(twice);
    const auto sample = at::addcmul(mean, deviation, noise);
    const auto standardized = buffer_of_prior(), divergence = buffer();
    over_rows(
        draw::divergence,
        {read(mean), read(offset), read(precision), read(expm1), read(twice), write(standardized),
         write(divergence)},
        noise, shape);
    ctx->save_for_backward({mean, tanh, deviation, expm1, noise, prior_tanh, offset, precision, standardized});
    ctx->saved_data["relative"] = relative;
    ctx->saved_data["bound"] = bound;
    return {sample, divergence};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    fused::no_second_derivative();
    at::AutoDispatchBelowADInplaceOrView below;
    const auto saved = ctx->get_saved_variables();
    const Tensor &mean = saved[0], &tanh = saved[1], &deviation = saved[2], &expm1 = saved[3], &noise = saved[4];
    const Tensor &prior_tanh = saved[5], &offset = saved[6], &precision = saved[7], &standardized = saved[8];
    const auto shape = shape_of(noise, ctx->saved_data["bound"].toDouble());
    const bool with_prior = prior_tanh.defined();
    const auto grad_sample = grads[0].contiguous(), grad_divergence = grads[1].contiguous();
    const auto own = at::empty({noise.size(0), noise.size(1), 2 * noise.size(2)}, noise.options());
    const auto prior = with_prior ? at::empty_like(own) : Tensor();
    const auto grad_tanh = at::empty_like(noise);
    const auto grad_prior_tanh = with_prior ? at::empty_like(noise) : Tensor();
    over_rows(
        draw::backward,
        {read(grad_sample), read(grad_divergence), read(mean), read(offset), read(precision),
         read(standardized), read(expm1), read(deviation), read(noise), write(own), write(prior),
         write(grad_tanh), write(grad_prior_tanh)},
        noise, shape);
    const auto grad_raw = at::tanh_backward(grad_tanh, tanh);
    const auto grad_prior_raw = with_prior ? at::tanh_backward(grad_prior_tanh, prior_tanh) : Tensor();
    over_rows(
        draw::join,
        {read(grad_raw), read(grad_prior_raw), ctx->saved_data["relative"].toBool(), write(own), write(prior)},
        noise, shape);
    return {own, prior, Tensor(), Tensor(), Tensor()};
  }
};

} // namespace

extern "C" char* torch_ext_draw(
    const Tensor* own,
    const Tensor* prior, // or null
    const Tensor* noise,
    const int relative,
    const double bound,
    Tensor** sample,
    Tensor** divergence) {
  return bridge::guarded([&] {
    const auto contiguous = prior == nullptr ? Maybe() : Maybe(prior->contiguous());
    auto pair = Draw::apply(own->contiguous(), contiguous, noise->contiguous(), relative != 0, bound);
    *sample = new Tensor(std::move(pair[0]));
    *divergence = new Tensor(std::move(pair[1]));
  });
}
