// The log density of targets under Gaussian or Laplace laws as one autograd node; the forward pass saves its slopes for the
// backward pass.
#include "bridge.h"
#include "fused.h"
#include "fused_kernel.h"
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

// Shares windows [B, G, width] among the threads.
template <typename Body>
void over_windows(const Tensor& like, int64_t width, Body&& body) {
  const int64_t group = like.size(1);
  at::parallel_for(0, like.size(0), GRAIN / (group * width + 1) + 1, [&](int64_t begin, int64_t end) {
    body(width, group, begin, end);
  });
}

template <typename T>
void run_density(
    bool laplace,
    const Tensor& head,
    double bound,
    const Maybe& skip,
    const Tensor& target,
    const Maybe& observed,
    const Maybe& signal,
    const Maybe& noise_std,
    const Tensor& log_density,
    const Tensor& slopes) {
  const fused::Density<T> of{
      laplace, read<T>(head), static_cast<T>(bound), read<T>(skip), read<T>(target), read<T>(observed), read<T>(signal),
      read<T>(noise_std), write<T>(log_density), write<T>(slopes)};
  over_windows(head, target.size(-1), [&](auto... range) { fused::density(of, range...); });
}

template <typename T>
void run_density_backward(
    const Tensor& slopes, const Tensor& grad, const Tensor& head, const Tensor& skip) {
  const fused::DensityBackward<T> of{read<T>(slopes), read<T>(grad), write<T>(head), write<T>(skip)};
  over_windows(
      head, head.size(-1) / 2, [&](auto... range) { fused::density_backward(of, range...); });
}

struct Density : torch::autograd::Function<Density> {
  // head [B, G, 2M], skip, target, observed [B, G, M], signal, noise_std [B] -> [B].
  static Tensor forward(
      AutogradContext* ctx,
      const Tensor& head,
      double bound,
      bool laplace,
      const Maybe& skip,
      const Tensor& target,
      const Maybe& observed,
      const Maybe& signal,
      const Maybe& noise_std) {
    const auto log_density = at::empty({head.size(0)}, head.options());
    const auto slopes = at::empty_like(head);
    const auto run = head.scalar_type() == at::kFloat ? run_density<float> : run_density<double>;
    run(laplace, head, bound, skip, target, observed, signal, noise_std, log_density, slopes);
    ctx->save_for_backward({slopes});
    ctx->saved_data["skip"] = skip.has_value() && skip->requires_grad();
    return log_density;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    fused::no_second_derivative();
    at::AutoDispatchBelowADInplaceOrView below;
    const auto slopes = ctx->get_saved_variables()[0];
    const auto head = at::empty_like(slopes);
    const auto skip = ctx->saved_data["skip"].toBool()
        ? at::empty({head.size(0), head.size(1), head.size(2) / 2}, head.options())
        : Tensor();
    const auto run =
        head.scalar_type() == at::kFloat ? run_density_backward<float> : run_density_backward<double>;
    run(slopes, grads[0].contiguous(), head, skip);
    return {head, Tensor(), Tensor(), skip, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

Maybe maybe(const Tensor* tensor) {
  return tensor == nullptr ? Maybe() : Maybe(tensor->contiguous());
}

} // namespace

extern "C" int torch_ext_fuses() {
  return fused::allowed() ? 1 : 0;
}

extern "C" char* torch_ext_density(
    const Tensor* head,
    const double bound,
    const int laplace,
    const Tensor* skip, // or null
    const Tensor* target,
    const Tensor* observed, // or null
    const Tensor* signal, // or null, with the next
    const Tensor* noise_std,
    Tensor** result) {
  return bridge::guarded([&] {
    *result = new Tensor(Density::apply(
        head->contiguous(), bound, laplace != 0, maybe(skip), target->contiguous(), maybe(observed), maybe(signal),
        maybe(noise_std)));
  });
}
