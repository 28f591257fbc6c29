// An unbiased estimate of the CRPS from draws of location-scale laws, as one autograd node; the forward pass saves its
// slopes for the backward pass.
#include "crps_kernel.h"
#include "bridge.h"
#include "fused.h"
#include "pointers.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Least number of elements for a thread of their own.
constexpr int64_t GRAIN = 4096;

// Shares the rows of a draw among the threads.
template <typename Body>
void over_rows(crps::Shape shape, Body&& body) {
  const int64_t grain = GRAIN / (shape.draws * shape.width + 1) + 1;
  at::parallel_for(0, shape.rows, grain, [&](int64_t begin, int64_t end) { body(shape, begin, end); });
}

crps::Shape shape_of(const Tensor& head) {
  return {head.size(0), head.size(1) * head.size(2), head.size(3) / 2};
}

template <typename T>
void run_loss(
    const Tensor& head,
    double bound,
    const Maybe& skip,
    const Tensor& noise,
    const Tensor& truth,
    const Tensor& result,
    const Tensor& slopes) {
  const crps::Loss<T> of{
      head.const_data_ptr<T>(), static_cast<T>(bound), read<T>(skip), noise.const_data_ptr<T>(),
      truth.const_data_ptr<T>(), write<T>(result), write<T>(slopes)};
  over_rows(shape_of(head), [&](auto... range) { crps::loss(of, range...); });
}

template <typename T>
void run_backward(const Tensor& slopes, const Tensor& grad, const Tensor& head, const Tensor& skip) {
  const crps::Backward<T> of{
      slopes.const_data_ptr<T>(), grad.const_data_ptr<T>(), write<T>(head), write<T>(skip)};
  over_rows(shape_of(head), [&](auto... range) { crps::backward(of, range...); });
}

struct Crps : torch::autograd::Function<Crps> {
  // head [S, B, G, 2M], skip, truth [B, G, M], noise [S, B, G, M] -> [B, G, M].
  static Tensor forward(
      AutogradContext* ctx,
      const Tensor& head,
      double bound,
      const Maybe& skip,
      const Tensor& noise,
      const Tensor& truth) {
    const auto result = at::empty(truth.sizes(), truth.options());
    const auto slopes = at::empty_like(head);
    const auto run = head.scalar_type() == at::kFloat ? run_loss<float> : run_loss<double>;
    run(head, bound, skip, noise, truth, result, slopes);
    ctx->save_for_backward({slopes});
    ctx->saved_data["skip"] = skip.has_value() && skip->requires_grad();
    return result;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    fused::no_second_derivative();
    at::AutoDispatchBelowADInplaceOrView below;
    const auto slopes = ctx->get_saved_variables()[0];
    const auto grad = grads[0].contiguous();
    const auto head = at::empty_like(slopes);
    const auto skip = ctx->saved_data["skip"].toBool() ? at::empty_like(grad) : Tensor();
    const auto run = head.scalar_type() == at::kFloat ? run_backward<float> : run_backward<double>;
    run(slopes, grad, head, skip);
    return {head, Tensor(), skip, Tensor(), Tensor()};
  }
};

} // namespace

extern "C" char* torch_ext_crps(
    const Tensor* head,
    const double bound,
    const Tensor* skip, // or null
    const Tensor* noise,
    const Tensor* truth,
    Tensor** result) {
  return bridge::guarded([&] {
    const auto offset = skip == nullptr ? Maybe() : Maybe(skip->contiguous());
    *result = new Tensor(
        Crps::apply(head->contiguous(), bound, offset, noise->contiguous(), truth->contiguous()));
  });
}
