// y = dropout(act(x_1 W_1' + ... + b)) as one autograd node: products into one matrix, then one pass over it.
#include "bridge.h"
#include "fused.h"
#include "fused_kernel.h"
#include "key.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Least number of elements for a thread of their own.
constexpr int64_t GRAIN = 16384;

Tensor matrix(const Tensor& x) {
  return x.reshape({-1, x.size(-1)});
}

std::vector<int64_t> with_last(const Tensor& x, int64_t last) {
  auto sizes = x.sizes().vec();
  sizes.back() = last;
  return sizes;
}

template <typename T>
void add_bias(
    const Tensor& u, const Tensor& y, const Tensor& bias, fused::Rows rows, fused::Dropout dropout) {
  at::parallel_for(0, u.size(0), GRAIN / rows.width + 1, [&](int64_t begin, int64_t end) {
    T* const out = y.defined() ? y.data_ptr<T>() : nullptr;
    fused::add_bias(u.data_ptr<T>(), out, bias.const_data_ptr<T>(), rows, dropout, begin, end);
  });
}

template <typename T>
void bias_backward(
    const Tensor& grad,
    const Tensor& u,
    const Tensor& to,
    const Tensor& sums,
    fused::Rows rows,
    fused::Dropout dropout) {
  const fused::BiasBackward<T> of{
      grad.const_data_ptr<T>(),
      u.defined() ? u.const_data_ptr<T>() : nullptr,
      to.defined() ? to.data_ptr<T>() : nullptr,
      sums.data_ptr<T>(),
      dropout};
  // By columns, so that no two threads add to the same sum.
  const int64_t count = grad.size(0);
  at::parallel_for(0, rows.width, GRAIN / (count + 1) + 1, [&](int64_t begin, int64_t end) {
    fused::bias_backward(of, rows, count, begin, end);
  });
}

// `rate`: the probability to be dropped, in [0, 1), which is rounded to 2^-16; `mask` is undefined where it is 0. The
// scale follows the rounded probability, so that the expectation stays exact.
fused::Dropout dropout_of(double rate, const Tensor& mask, Places places) {
  if (!mask.defined()) {
    return {0, 0, 0, nullptr, places};
  }
  const double kept = std::max(std::round((1 - rate) * 65536), 1.0);
  return {0, static_cast<uint32_t>(kept), 65536 / kept, mask.data_ptr<uint8_t>(), places};
}

struct Affine : torch::autograd::Function<Affine> {
  // `all`: the inputs, one weight for each, the bias.
  static Tensor forward(
      AutogradContext* ctx, const at::TensorList& all, bool silu, double rate, Places places) {
    at::AutoDispatchBelowADInplaceOrView below;
    const size_t terms = all.size() / 2;
    const auto bias = all.back().contiguous();
    const int64_t width = bias.size(-1);
    const auto result = at::empty(with_last(all[0], width), all[0].options());
    const auto flat = matrix(result);
    auto u = silu ? at::empty_like(flat) : flat;
    at::mm_out(u, matrix(all[0]), all[terms].t());
    for (size_t i = 1; i < terms; ++i) {
      u.addmm_(matrix(all[i]), all[terms + i].t());
    }
    const auto y = silu ? flat : Tensor();
    const auto mask = rate == 0 ? Tensor() : at::empty(flat.sizes(), flat.options().dtype(at::kByte));
    auto dropout = dropout_of(rate, mask, places);
    dropout.key = mask.defined() ? noise::key() : 0;
    const fused::Rows rows{width, bias.numel() / width};
    u.scalar_type() == at::kFloat ? add_bias<float>(u, y, bias, rows, dropout)
                                  : add_bias<double>(u, y, bias, rows, dropout);
    auto saved = all.vec();
    saved.push_back(silu ? u : Tensor());
    saved.push_back(mask);
    ctx->saved_data["rate"] = rate;
    ctx->save_for_backward(std::move(saved));
    return result;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    fused::no_second_derivative();
    at::AutoDispatchBelowADInplaceOrView below;
    const auto saved = ctx->get_saved_variables();
    const size_t terms = saved.size() / 2 - 1;
    const auto &bias = saved[2 * terms], &u = saved[2 * terms + 1], &mask = saved[2 * terms + 2];
    const int64_t width = bias.size(-1);
    const auto grad_y = matrix(grads[0]).contiguous();
    const auto dropout = dropout_of(ctx->saved_data["rate"].toDouble(), mask, Places{});
    const bool changes = u.defined() || mask.defined();
    const auto to = changes ? at::empty_like(grad_y) : Tensor();
    const auto grad = changes ? to : grad_y;
    const auto sums = at::zeros(bias.sizes(), bias.options());
    const fused::Rows rows{width, bias.numel() / width};
    grad_y.scalar_type() == at::kFloat ? bias_backward<float>(grad_y, u, to, sums, rows, dropout)
                                       : bias_backward<double>(grad_y, u, to, sums, rows, dropout);
    variable_list result(2 * terms + 4);
    for (size_t i = 0; i < terms; ++i) {
      const auto &x = saved[i], &weight = saved[terms + i];
      if (ctx->needs_input_grad(i)) {
        result[i] = at::mm(grad, weight).view(x.sizes());
      }
      if (ctx->needs_input_grad(terms + i)) {
        result[terms + i] = at::mm(grad.t(), matrix(x));
      }
    }
    result[2 * terms] = sums;
    return result;
  }
};

// The same composed of ATen's operations, for a bias of any shape.
Tensor composed(const std::vector<Tensor>& all, bool silu, double rate, Places places) {
  const size_t terms = all.size() / 2;
  const auto& bias = all.back();
  Tensor sum;
  for (size_t i = 0; i < terms; ++i) {
    const auto rows = matrix(all[i]);
    const auto weight = all[terms + i].t();
    if (sum.defined()) {
      sum = at::addmm(sum, rows, weight); // not in place, which autocast does not see
    } else {
      sum = bias.dim() == 1 ? at::addmm(bias, rows, weight) : rows.mm(weight);
    }
  }
  sum = sum.view(with_last(all[0], bias.size(-1)));
  if (bias.dim() != 1) {
    sum = sum + bias;
  }
  sum = silu ? at::silu(sum) : sum;
  if (rate == 0 || places.of == 0) {
    return rate == 0 ? sum : at::dropout(sum, rate, /*train=*/true);
  }
  auto size = sum.sizes().vec();
  const auto axis = std::max<int64_t>(static_cast<int64_t>(size.size()) - 3, 0);
  size[axis] = places.of;
  const auto whole = at::dropout(at::ones(size, sum.options()), rate, /*train=*/true);
  return sum * whole.narrow(axis, places.first, places.count);
}

// Whether the bias repeats after some rows: the last axes of the result, ones before them.
bool repeats(const Tensor& bias, const Tensor& x) {
  if (bias.dim() > x.dim()) {
    return false;
  }
  bool inside = true;
  for (int64_t axis = 2; axis <= bias.dim(); ++axis) {
    const int64_t size = bias.size(-axis);
    const bool equal = size == x.size(-axis);
    if (!(size == 1 || (inside && equal))) {
      return false;
    }
    inside = inside && equal;
  }
  return true;
}

} // namespace

extern "C" char* torch_ext_affine(
    const Tensor* const* tensors, // inputs, weights, bias
    const int64_t terms,
    const int silu,
    const double rate,
    const int fuse,
    const Places places,
    Tensor** result) {
  return bridge::guarded([&] {
    std::vector<Tensor> all;
    all.reserve(2 * terms + 1);
    for (int64_t i = 0; i < 2 * terms + 1; ++i) {
      all.push_back(*tensors[i]);
    }
    const bool fits = fuse != 0 && fused::allowed() && repeats(all.back(), all[0]);
    *result = new Tensor(
        fits ? Affine::apply(at::TensorList(all), silu != 0, rate, places)
             : composed(all, silu != 0, rate, places));
  });
}
