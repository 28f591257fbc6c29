// Scores of samples on the CPU: sorting, the CRPS, the energy score and the sums of windows. No gradients.
#include "bridge.h"
#include "score_kernel.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <atomic>

namespace {

using at::Tensor;

// Runs `body` on parts of `count` elements, about `each` numbers an element.
template <typename Body>
void shared(int64_t count, int64_t each, Body&& body) {
  constexpr int64_t least = 32768; // numbers for a thread of their own
  // Whole cache lines, so that no two threads write to one.
  const int64_t grain = (least / (each + 1) + 1 + 63) / 64 * 64;
  at::parallel_for(0, count, grain, body);
}

// Elements of one sample.
int64_t elements(const Tensor& samples) {
  return samples.numel() / std::max<int64_t>(samples.size(0), 1);
}

template <typename T>
int64_t sort(const Tensor& from, const Tensor& to) {
  std::atomic<int64_t> missing{0};
  const int64_t draws = from.size(0), count = elements(from);
  shared(count, draws, [&](int64_t begin, int64_t end) {
    missing += score::sort(from.const_data_ptr<T>(), to.data_ptr<T>(), draws, count, begin, end);
  });
  return missing;
}

template <typename T>
void crps(const Tensor& sorted, const Tensor& truth, double divisor, const Tensor& result) {
  const score::Crps<T> of{
      sorted.const_data_ptr<T>(), truth.const_data_ptr<double>(), divisor, result.data_ptr<double>()};
  const int64_t draws = sorted.size(0), count = elements(sorted);
  shared(count, draws, [&](int64_t begin, int64_t end) { score::crps(of, draws, count, begin, end); });
}

template <typename T>
void energy(const Tensor& samples, const Tensor& truth, double divisor, const Tensor& result) {
  const score::Energy<T> of{
      samples.const_data_ptr<T>(), truth.const_data_ptr<double>(), divisor, result.data_ptr<double>()};
  const int64_t draws = samples.size(0), windows = samples.size(1), width = samples.size(2);
  at::parallel_for(0, windows, 32768 / (draws * draws * width + 1) + 1, [&](int64_t begin, int64_t end) {
    score::energy(of, draws, windows, width, begin, end);
  });
}

template <typename T>
void windows(const Tensor& sorted, const Tensor& truth, const Tensor& observed, const Tensor& sums) {
  const score::Windows<T> of{
      sorted.const_data_ptr<T>(), truth.const_data_ptr<double>(), observed.const_data_ptr<bool>(),
      sums.data_ptr<double>()};
  const int64_t draws = sorted.size(0), count = sorted.size(1), width = sorted.size(2);
  at::parallel_for(0, count, 32768 / (draws * width + 1) + 1, [&](int64_t begin, int64_t end) {
    score::windows(of, draws, count, width, begin, end);
  });
}

} // namespace

// Samples [S, ..] in ascending order along the first axis, and how many are not finite.
extern "C" char* torch_ext_sort(const Tensor* samples, Tensor** sorted, int64_t* missing) {
  return bridge::guarded([&] {
    at::AutoDispatchBelowADInplaceOrView below;
    const auto from = samples->contiguous();
    const auto to = at::empty(from.sizes(), from.options());
    *missing = from.scalar_type() == at::kFloat ? sort<float>(from, to) : sort<double>(from, to);
    *sorted = new Tensor(to);
  });
}

// The CRPS [..] of sorted samples [S, ..] against a truth [..] in f64.
extern "C" char* torch_ext_sorted_crps(
    const Tensor* sorted, const Tensor* truth, const double divisor, Tensor** result) {
  return bridge::guarded([&] {
    at::AutoDispatchBelowADInplaceOrView below;
    const auto from = sorted->contiguous(), to = truth->contiguous();
    const auto made = at::empty(to.sizes(), to.options());
    (from.scalar_type() == at::kFloat ? crps<float> : crps<double>)(from, to, divisor, made);
    *result = new Tensor(made);
  });
}

// The energy score [N] of samples [S, N, D] against a truth [N, D] in f64.
extern "C" char* torch_ext_energy(
    const Tensor* samples, const Tensor* truth, const double divisor, Tensor** result) {
  return bridge::guarded([&] {
    at::AutoDispatchBelowADInplaceOrView below;
    const auto from = samples->contiguous(), to = truth->contiguous();
    const auto made = at::empty({to.size(0)}, to.options());
    (from.scalar_type() == at::kFloat ? energy<float> : energy<double>)(from, to, divisor, made);
    *result = new Tensor(made);
  });
}

// The sums [N, score::SUMS] of sorted samples [S, N, D] against a truth [N, D] in f64 with its mask.
extern "C" char* torch_ext_window_sums(
    const Tensor* sorted, const Tensor* truth, const Tensor* observed, Tensor** result) {
  return bridge::guarded([&] {
    at::AutoDispatchBelowADInplaceOrView below;
    const auto from = sorted->contiguous(), to = truth->contiguous(), mask = observed->contiguous();
    const auto made = at::empty({to.size(0), score::SUMS}, to.options());
    (from.scalar_type() == at::kFloat ? windows<float> : windows<double>)(from, to, mask, made);
    *result = new Tensor(made);
  });
}
