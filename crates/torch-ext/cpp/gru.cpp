// A GRU layer as one autograd node: matrix products over many steps, one pass over the gates.
//
//   r = σ(W_r x + U_r h + b)     z = σ(W_z x + U_z h + b)
//   n = tanh(W_n x + b + r (U_n h + b'))     h' = n + z (h - n)
#include "bridge.h"
#include "gru_kernel.h"

#include <ATen/Parallel.h>
#include <ATen/TracerMode.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gru.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Number of steps that share a matrix product: its result should fit into a second-level cache.
int64_t steps_per_block(const Tensor& x, int64_t columns) {
  const int64_t bytes = x.size(1) * columns * x.element_size();
  return std::clamp<int64_t>((int64_t{1} << 18) / std::max<int64_t>(bytes, 1), 1, x.size(0));
}

// Least number of rows for a thread of their own.
int64_t rows_per_thread(int64_t hidden) {
  return std::max<int64_t>(1, 8192 / hidden);
}

// Steps `start..start + count` of `[L, B, width]` as a matrix.
Tensor block(const Tensor& sequence, int64_t start, int64_t count) {
  return sequence.narrow(0, start, count).view({count * sequence.size(1), sequence.size(2)});
}

struct Weights {
  Tensor input; // [3H, I]
  Tensor hidden; // [3H, H]
  Tensor input_bias; // [3H]
  Tensor hidden_bias; // [3H]
};

// Fills `states[1..]` from `states[0]`; `recurrent` may be undefined.
template <typename T>
void run_forward(
    const Tensor& x,
    const Weights& w,
    const Tensor& gates,
    const Tensor& recurrent,
    const Tensor& states) {
  const int64_t steps = x.size(0), rows = x.size(1), hidden = states.size(2);
  const auto input_weight = w.input.t(), hidden_weight = w.hidden.t();
  const auto bias = at::cat(std::vector<Tensor>{w.input_bias, w.hidden_bias.narrow(0, 2 * hidden, hidden)});
  bias.narrow(0, 0, 2 * hidden).add_(w.hidden_bias.narrow(0, 0, 2 * hidden));
  auto product = at::empty({rows, 3 * hidden}, x.options());
  const int64_t per_block = steps_per_block(x, 3 * hidden);
  const int width = gru::widest();
  for (int64_t start = 0; start < steps; start += per_block) {
    const int64_t count = std::min(per_block, steps - start);
    auto projected = block(gates, start, count);
    at::mm_out(projected, block(x, start, count), input_weight);
    for (int64_t t = start; t < start + count; ++t) {
      at::mm_out(product, states.select(0, t), hidden_weight);
      T* const state = states.data_ptr<T>() + t * rows * hidden;
      const gru::Forward<T> step{
          bias.template const_data_ptr<T>(),
          gates.data_ptr<T>() + t * rows * 3 * hidden,
          product.const_data_ptr<T>(),
          recurrent.defined() ? recurrent.data_ptr<T>() + t * rows * hidden : nullptr,
          state,
          state + rows * hidden};
      at::parallel_for(0, rows, rows_per_thread(hidden), [&](int64_t begin, int64_t end) {
        gru::forward(step, begin, end, hidden, width);
      });
    }
  }
}

struct Gradients {
  Tensor x; // undefined where nobody asks for it
  Tensor start;
  Weights weights;
};

template <typename T>
Gradients run_backward(
    const Tensor& x,
    const Weights& w,
    const Tensor& gates,
    const Tensor& recurrent,
    const Tensor& states,
    const Tensor& grad_output, // may be undefined
    Tensor grad_state,
    bool wants_x) {
  const int64_t steps = x.size(0), rows = x.size(1), hidden = states.size(2);
  const int64_t per_block = steps_per_block(x, 4 * hidden);
  const int width = gru::widest();
  // As the kernel lays out a row, (n, r, z, n's recurrence): those of W x are the first three
  // quarters, those of U h the last three.
  const auto roll = [](const Tensor& tensor, int64_t head) {
    const auto tail = tensor.size(0) - head;
    return at::cat(std::vector<Tensor>{tensor.narrow(0, head, tail), tensor.narrow(0, 0, head)});
  };
  const auto reordered = roll(w.input, 2 * hidden);
  const auto sums = at::zeros({4 * hidden}, x.options());
  auto grad_input_weight = at::zeros_like(reordered);
  auto grad_hidden_weight = at::zeros_like(w.hidden);
  const auto buffer = at::empty({per_block, rows, 4 * hidden}, x.options());
  Gradients result;
  if (wants_x) {
    result.x = at::empty_like(x);
  }
  for (int64_t end_step = steps; end_step > 0;) {
    const int64_t count = std::min(per_block, end_step);
    const int64_t start = end_step - count;
    for (int64_t t = end_step - 1; t >= start; --t) {
      const auto at_step = buffer.select(0, t - start);
      const gru::Backward<T> step{
          gates.const_data_ptr<T>() + t * rows * 3 * hidden,
          recurrent.const_data_ptr<T>() + t * rows * hidden,
          states.const_data_ptr<T>() + t * rows * hidden,
          grad_output.defined() ? grad_output.const_data_ptr<T>() + t * rows * hidden : nullptr,
          grad_state.data_ptr<T>(),
          at_step.data_ptr<T>()};
      at::parallel_for(0, rows, rows_per_thread(hidden), [&](int64_t begin, int64_t end) {
        gru::backward(step, begin, end, hidden, width);
      });
      at::addmm_out(grad_state, grad_state, at_step.narrow(1, hidden, 3 * hidden), w.hidden);
    }
    const auto all = block(buffer, 0, count);
    const auto of_input = all.narrow(1, 0, 3 * hidden);
    const auto of_hidden = all.narrow(1, hidden, 3 * hidden);
    grad_input_weight.addmm_(of_input.t(), block(x, start, count));
    grad_hidden_weight.addmm_(of_hidden.t(), block(states, start, count));
    sums.add_(all.sum(0));
    if (wants_x) {
      auto grad_x = block(result.x, start, count);
      at::mm_out(grad_x, of_input, reordered);
    }
    end_step = start;
  }
  result.start = grad_state;
  result.weights = {
      roll(grad_input_weight, hidden),
      grad_hidden_weight,
      roll(sums.narrow(0, 0, 3 * hidden), hidden),
      sums.narrow(0, hidden, 3 * hidden).clone()};
  return result;
}

struct Layer : torch::autograd::Function<Layer> {
  // x [L, B, I], start [B, H] -> all states [L, B, H] and the last one [B, H].
  static variable_list forward(
      AutogradContext* ctx,
      const Tensor& x,
      const Tensor& start,
      const Tensor& input_weight,
      const Tensor& hidden_weight,
      const Tensor& input_bias,
      const Tensor& hidden_bias,
      bool keep) {
    const int64_t steps = x.size(0), rows = x.size(1), hidden = start.size(1);
    const auto gates = at::empty({steps, rows, 3 * hidden}, x.options());
    const auto recurrent = keep ? at::empty({steps, rows, hidden}, x.options()) : Tensor();
    const auto states = at::empty({steps + 1, rows, hidden}, x.options());
    states.select(0, 0).copy_(start);
    const Weights w{input_weight, hidden_weight, input_bias, hidden_bias};
    x.scalar_type() == at::kFloat ? run_forward<float>(x, w, gates, recurrent, states)
                                  : run_forward<double>(x, w, gates, recurrent, states);
    if (keep) {
      ctx->save_for_backward(
          {x, input_weight, hidden_weight, input_bias, hidden_bias, gates, recurrent, states});
    }
    ctx->set_materialize_grads(false);
    return {states.narrow(0, 1, steps), states.select(0, steps).clone()};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    TORCH_CHECK(
        !c10::GradMode::is_enabled(), "the fused GRU has no second derivative (create_graph)");
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &gates = saved[5], &recurrent = saved[6], &states = saved[7];
    const Weights w{saved[1], saved[2], saved[3], saved[4]};
    const auto grad_output = grads[0].defined() ? grads[0].contiguous() : Tensor();
    const auto grad_last = grads[1].defined()
        ? grads[1].clone(at::MemoryFormat::Contiguous)
        : at::zeros({states.size(1), states.size(2)}, states.options());
    const bool wants_x = ctx->needs_input_grad(0);
    const auto run = x.scalar_type() == at::kFloat ? run_backward<float> : run_backward<double>;
    auto result = run(x, w, gates, recurrent, states, grad_output, grad_last, wants_x);
    const auto& of = result.weights;
    return {result.x, result.start, of.input, of.hidden, of.input_bias, of.hidden_bias, Tensor()};
  }
};

} // namespace

// input [B, L, I], start [layers, B, H] -> output [B, L, H], last [layers, B, H].
extern "C" char* torch_ext_gru(
    const Tensor* input,
    const Tensor* start,
    const Tensor* const* weights, // four per layer
    const int64_t layers,
    const double dropout,
    const int train,
    const int fused,
    Tensor** output,
    Tensor** last) {
  return bridge::guarded([&] {
    std::vector<Tensor> all;
    for (int64_t i = 0; i < 4 * layers; ++i) {
      all.push_back(*weights[i]);
    }
    // A trace records operations, and would miss what the kernel does.
    if (fused == 0 || at::tracer::impl::is_dispatch_enabled()) {
      auto [out, state] = at::gru(
          *input, *start, all, true, layers, dropout, train != 0, /*bidirectional=*/false,
          /*batch_first=*/true);
      *output = new Tensor(std::move(out));
      *last = new Tensor(std::move(state));
      return;
    }
    auto sequence = input->transpose(0, 1);
    bool keep = input->requires_grad() || start->requires_grad();
    for (const auto& weight : all) {
      keep = keep || weight.requires_grad();
    }
    keep = keep && c10::GradMode::is_enabled();
    std::vector<Tensor> states;
    for (int64_t layer = 0; layer < layers; ++layer) {
      if (layer > 0 && dropout > 0 && train != 0) {
        sequence = at::dropout(sequence, dropout, true);
      }
      const auto* w = &all[4 * layer];
      auto pair = Layer::apply(
          sequence.contiguous(), start->select(0, layer), w[0].contiguous(), w[1].contiguous(),
          w[2].contiguous(), w[3].contiguous(), keep);
      sequence = pair[0];
      states.push_back(pair[1]);
    }
    *output = new Tensor(sequence.transpose(0, 1));
    *last = new Tensor(at::stack(states));
  });
}

// For tests: sigmoid and tanh as the f32 kernel computes them; `width` must not exceed the widest.
extern "C" void torch_ext_activations(
    const int width,
    const float* x,
    float* sigmoid,
    float* hyperbolic,
    const int64_t count) {
  std::vector<float> bias(4 * count), hidden(3 * count), state(2 * count), gates;
  for (int gate = 0; gate < 3; ++gate) {
    gates.insert(gates.end(), x, x + count);
  }
  const gru::Forward<float> step{
      bias.data(), gates.data(), hidden.data(), nullptr, state.data(), state.data() + count};
  gru::forward(step, 0, 1, count, width);
  std::copy_n(gates.begin(), count, sigmoid);
  std::copy_n(gates.begin() + 2 * count, count, hyperbolic);
}

extern "C" int torch_ext_widest() {
  return gru::widest();
}
