// One step of AdamW on flat vectors; the Rust side has checked kinds, devices and shapes.
#include "bridge.h"
#include "fused_kernel.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace {

std::optional<at::Tensor> optional(const at::Tensor* tensor) {
  return tensor == nullptr ? std::nullopt : std::make_optional(*tensor);
}

} // namespace

extern "C" char* torch_ext_adamw(
    const at::Tensor* parameters,
    const at::Tensor* gradients,
    const at::Tensor* first,
    const at::Tensor* second,
    const at::Tensor* step,
    const at::Tensor* grad_scale,
    const at::Tensor* found_inf,
    const int64_t decayed,
    const double weight_decay,
    const double learning_rate,
    const double beta_1,
    const double beta_2,
    const double epsilon) {
  return bridge::guarded([&] {
    const c10::AutoGradMode no_grad(false);
    const at::AutoDispatchBelowADInplaceOrView below;
    const bool known = parameters->is_cpu(); // where reading a scalar waits for nothing
    if (known && found_inf != nullptr && *found_inf->const_data_ptr<bool>()) {
      return;
    }
    const auto scale = optional(grad_scale);
    // Of kind Bool: the kernel skips a step only if it is exactly 1.
    const auto skipped = known || found_inf == nullptr
        ? std::nullopt
        : std::make_optional(found_inf->to(at::kFloat));
    step->add_(1); // the kernel corrects the bias by the number of this step, but does not advance it
    const auto update = [&](int64_t start, int64_t length, double decay) {
      if (length == 0) {
        return;
      }
      const auto piece = [&](const at::Tensor* whole) { return whole->narrow(0, start, length); };
      at::_fused_adamw_(
          {piece(parameters)}, {piece(gradients)}, {piece(first)}, {piece(second)}, {}, {*step},
          learning_rate, beta_1, beta_2, decay, epsilon, /*amsgrad=*/false, /*maximize=*/false,
          scale, skipped);
    };
    const auto total = parameters->size(0);
    const auto split = weight_decay == 0 ? 0 : decayed;
    update(0, split, weight_decay);
    update(split, total - split, 0);
    if (skipped) {
      step->sub_(*skipped);
    }
  });
}

// Norm of f32 gradients on the CPU, the divisor that clips them, and whether the step is to be skipped.
extern "C" char* torch_ext_clip(
    const at::Tensor* gradients,
    const at::Tensor* loss,
    const double clip,
    at::Tensor** norm,
    at::Tensor** scale,
    at::Tensor** torn) {
  return bridge::guarded([&] {
    const at::AutoDispatchBelowADInplaceOrView below;
    const double length = std::sqrt(
        fused::sum_of_squares(gradients->const_data_ptr<float>(), gradients->numel()));
    const auto scalar = [&](at::ScalarType kind) { return at::empty({}, at::dtype(kind)); };
    auto norms = scalar(at::kFloat), scales = scalar(at::kFloat), torns = scalar(at::kBool);
    const float rounded = static_cast<float>(length);
    *norms.data_ptr<float>() = rounded;
    *scales.data_ptr<float>() = clip == 0 ? 1.0f : std::max(1.0f, static_cast<float>(length / clip));
    *torns.data_ptr<bool>() = !std::isfinite(rounded + *loss->const_data_ptr<float>());
    *norm = new at::Tensor(std::move(norms));
    *scale = new at::Tensor(std::move(scales));
    *torn = new at::Tensor(std::move(torns));
  });
}
