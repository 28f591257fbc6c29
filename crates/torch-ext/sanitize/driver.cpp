// Calls every function that `cpp/` exports, with random tensors, in a program built with sanitizers:
// `cargo xtask sanitize` builds and starts it.
//
//   driver ROUNDS SEED     a finding ends the program with a report
//   driver overflow        reads behind an array, to show that the sanitizers are there
//   driver undefined       overflows a signed number, likewise
//   driver leave           ends as `ballast` does, which no sanitizer sees
//
// Shapes and kinds are those that the Rust side lets through; empty ones, single elements, views that are not
// contiguous, NaN and infinities come often.
#include "../cpp/places.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

using at::Tensor;

struct Surroundings {
  int enabled;
  int kind;
};

extern "C" {
void torch_ext_free(char*);
char* torch_ext_generator_state(int, int, Tensor**);
char* torch_ext_set_generator_state(int, int, const Tensor*);
char* torch_ext_adamw(
    const Tensor*, const Tensor*, const Tensor*, const Tensor*, const Tensor*, const Tensor*, const Tensor*,
    int64_t, double, double, double, double, double);
char* torch_ext_clip(const Tensor*, const Tensor*, double, Tensor**, Tensor**, Tensor**);
char* torch_ext_autocast_enter(int, int, int, Surroundings*);
char* torch_ext_autocast_leave(int, Surroundings);
char* torch_ext_load_cuda(const char*, int*);
char* torch_ext_peak_memory(int, int64_t*);
char* torch_ext_reset_peak_memory(int);
char* torch_ext_gru(
    const Tensor*, const Tensor*, const Tensor* const*, int64_t, double, int, int, Tensor**, Tensor**);
char* torch_ext_affine(const Tensor* const*, int64_t, int, double, int, Places, Tensor**);
int torch_ext_fuses();
char* torch_ext_draw(const Tensor*, const Tensor*, const Tensor*, int, double, Tensor**, Tensor**);
char* torch_ext_crps(const Tensor*, double, const Tensor*, const Tensor*, const Tensor*, Tensor**);
char* torch_ext_laplace(const Tensor*, Places);
void torch_ext_random_bits(uint64_t, uint32_t*, int64_t, int64_t, int64_t);
char* torch_ext_sort(const Tensor*, Tensor**, int64_t*);
char* torch_ext_sorted_crps(const Tensor*, const Tensor*, double, Tensor**);
char* torch_ext_energy(const Tensor*, const Tensor*, double, Tensor**);
char* torch_ext_window_sums(const Tensor*, const Tensor*, const Tensor*, Tensor**);
[[noreturn]] void torch_ext_leave(int);
char* torch_ext_density(
    const Tensor*, double, int, const Tensor*, const Tensor*, const Tensor*, const Tensor*, const Tensor*, Tensor**);
char* torch_ext_store_new(const char*, uint16_t, int, const char*, int64_t, void**);
char* torch_ext_store_set(void*, const char*, const char*, int64_t);
char* torch_ext_store_claim(void*, const char*, int*);
char* torch_ext_store_has(void*, const char*, int*);
char* torch_ext_store_get(void*, const char*, Tensor**);
char* torch_ext_store_timeout(void*, int64_t);
char* torch_ext_group_join(void*, const char*, int, int, int64_t);
char* torch_ext_group_join_gpus(void*, const char*, int, int, int64_t);
char* torch_ext_group_sum(void*, const Tensor*);
char* torch_ext_group_broadcast(void*, const Tensor*, int);
char* torch_ext_group_gather(void*, const Tensor*, const Tensor*);
void torch_ext_group_free(void*);
void torch_ext_activations(int, const float*, float*, float*, int64_t);
int torch_ext_widest();
}

namespace {

std::mt19937_64 generator;
long calls = 0, failures = 0;

int64_t below(int64_t end) {
  return static_cast<int64_t>(generator() % static_cast<uint64_t>(end));
}

bool coin() {
  return below(2) == 0;
}

// All rows, or some share of them, which need not fit.
Places places() {
  return coin() ? Places{} : Places{below(3), 1 + below(4), 8, 1 + below(3)};
}

// Sizes around the widths of vectors, and now and then one that is shared among threads.
int64_t size(bool empty) {
  static const int64_t sizes[] = {1, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65};
  if (empty && below(12) == 0) {
    return 0;
  }
  return below(20) == 0 ? 100 + below(200) : sizes[below(16)];
}

// Random numbers of a shape, some of them special; not always contiguous.
Tensor numbers(std::vector<int64_t> shape, at::ScalarType kind, bool gradient = false) {
  const bool flip = shape.size() > 1 && below(4) == 0;
  auto made = shape;
  if (flip) {
    std::swap(made[0], made[1]);
  }
  const bool wide = !shape.empty() && below(4) == 0;
  if (wide) {
    made.back() *= 2;
  }
  auto tensor = at::randn(made, at::dtype(at::kDouble)).mul_(below(8) == 0 ? 1e3 : 1.0).to(kind);
  if (below(8) == 0 && tensor.numel() > 0) {
    static const double special[] = {
        0.0, -0.0, 1e-40, -1e38, 3e38, std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()};
    tensor.view({-1})[below(tensor.numel())].fill_(special[below(8)]);
  }
  if (wide) {
    tensor = tensor.narrow(-1, 0, made.back() / 2); // rows with a gap behind them
  }
  if (flip) {
    tensor = tensor.transpose(0, 1);
  }
  // The other way round where both changed the same axis.
  if (tensor.sizes().vec() != shape) {
    tensor = at::randn(shape, at::dtype(at::kDouble)).to(kind);
  }
  return tensor.set_requires_grad(gradient);
}

// Counts a call, and frees the message of one that failed.
bool succeeded(char* failure) {
  ++calls;
  if (failure == nullptr) {
    return true;
  }
  ++failures;
  const bool text = std::strlen(failure) > 0;
  torch_ext_free(failure);
  if (!text) {
    std::fprintf(stderr, "a failure without a message\n");
    std::exit(2);
  }
  return false;
}

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::exit(2);
}

Tensor take(Tensor* made) {
  if (made == nullptr) {
    broken("a call succeeded without a result");
  }
  Tensor tensor = *made;
  delete made;
  tensor.clone(); // reads all of it
  return tensor;
}

void backward(const std::vector<Tensor>& results) {
  std::vector<Tensor> roots, gradients;
  for (const auto& result : results) {
    if (result.requires_grad() && below(5) != 0) {
      roots.push_back(result);
      gradients.push_back(numbers(result.sizes().vec(), result.scalar_type()));
    }
  }
  if (!roots.empty()) {
    torch::autograd::backward(roots, gradients, /*retain_graph=*/coin());
  }
}

at::ScalarType float_or_double() {
  return coin() ? at::kFloat : at::kDouble;
}

void adamw() {
  const auto kind = float_or_double();
  const int64_t count = size(true);
  const auto vector = [&] { return numbers({count}, kind).contiguous(); };
  const auto parameters = vector(), gradients = vector(), first = vector(), second = vector().abs();
  const auto step = at::zeros({}, at::dtype(at::kFloat)), scale = at::ones({}, at::dtype(at::kFloat));
  const auto torn = at::full({}, below(4) == 0, at::dtype(at::kBool));
  succeeded(torch_ext_adamw(
      &parameters, &gradients, &first, &second, &step, coin() ? &scale : nullptr, coin() ? &torn : nullptr,
      below(count + 1), coin() ? 0.0 : 0.1, 1e-3, 0.9, 0.999, 1e-8));
}

void clip() {
  const auto gradients = numbers({size(true)}, at::kFloat).contiguous();
  const auto loss = numbers({}, at::kFloat);
  Tensor *norm = nullptr, *scale = nullptr, *torn = nullptr;
  if (succeeded(torch_ext_clip(&gradients, &loss, coin() ? 0.0 : 1e-3, &norm, &scale, &torn))) {
    take(norm), take(scale), take(torn);
  }
}

void gru() {
  const auto kind = float_or_double();
  const bool fused = below(8) != 0;
  const int64_t batch = size(false), steps = size(false) % 20 + 1, features = size(false), hidden = size(false);
  const int64_t layers = 1 + below(3);
  const bool gradient = coin();
  const auto input = numbers({batch, steps, features}, kind, gradient && coin());
  const auto start = numbers({layers, batch, hidden}, kind, gradient && coin());
  std::vector<Tensor> weights;
  for (int64_t layer = 0, width = features; layer < layers; ++layer, width = hidden) {
    weights.push_back(numbers({3 * hidden, width}, kind, gradient));
    weights.push_back(numbers({3 * hidden, hidden}, kind, gradient));
    weights.push_back(numbers({3 * hidden}, kind, gradient && coin()));
    weights.push_back(numbers({3 * hidden}, kind, gradient));
  }
  std::vector<const Tensor*> pointers;
  for (const auto& weight : weights) {
    pointers.push_back(&weight);
  }
  Tensor *output = nullptr, *last = nullptr;
  const c10::AutoGradMode mode(below(8) != 0);
  if (succeeded(torch_ext_gru(
          &input, &start, pointers.data(), layers, coin() ? 0.0 : 0.3, coin(), fused, &output, &last))) {
    backward({take(output), take(last)});
  }
}

void affine() {
  const auto kind = float_or_double();
  const int64_t terms = 1 + below(3), rows = size(false), group = size(false), width = size(false);
  const bool flat = coin();
  std::vector<int64_t> lead = flat ? std::vector<int64_t>{rows} : std::vector<int64_t>{rows, group};
  std::vector<Tensor> all;
  std::vector<int64_t> widths;
  for (int64_t term = 0; term < terms; ++term) {
    auto shape = lead;
    shape.push_back(size(false));
    widths.push_back(shape.back());
    all.push_back(numbers(shape, kind, coin()));
  }
  for (const auto inner : widths) {
    all.push_back(numbers({width, inner}, kind, coin()));
  }
  const std::vector<std::vector<int64_t>> biases = {
      {width}, {1, width}, {group, width}, {rows, 1, width}, {rows, group, width}};
  all.push_back(numbers(flat ? biases[below(2)] : biases[below(5)], kind, coin()));
  std::vector<const Tensor*> pointers;
  for (const auto& tensor : all) {
    pointers.push_back(&tensor);
  }
  Tensor* result = nullptr;
  if (succeeded(torch_ext_affine(pointers.data(), terms, coin(), coin() ? 0.0 : 0.3, below(4) != 0, places(), &result))) {
    backward({take(result)});
  }
}

void draw() {
  const int64_t windows = size(true), group = size(true), width = size(true);
  const auto own = numbers({windows, group, 2 * width}, at::kFloat, coin());
  const auto prior = numbers({windows, group, 2 * width}, at::kFloat, coin());
  const auto noise = numbers({windows, group, width}, at::kFloat);
  const bool with_prior = coin();
  Tensor *sample = nullptr, *divergence = nullptr;
  if (succeeded(torch_ext_draw(
          &own, with_prior ? &prior : nullptr, &noise, with_prior && coin(), coin() ? 7.0 : 1e-30, &sample,
          &divergence))) {
    backward({take(sample), take(divergence)});
  }
}

void density() {
  const auto kind = float_or_double();
  const int64_t windows = size(true), group = size(true), width = size(true);
  const std::vector<int64_t> shape = {windows, group, width};
  const auto head = numbers({windows, group, 2 * width}, kind, coin());
  const auto skip = numbers(shape, kind, coin());
  const auto target = numbers(shape, kind);
  const auto observed = at::randint(0, 2, shape, at::dtype(kind));
  const auto signal = numbers({windows}, kind), noise_std = numbers({windows}, kind).abs();
  const bool noised = coin();
  Tensor* result = nullptr;
  if (succeeded(torch_ext_density(
          &head, 7.0, !noised && coin(), coin() ? &skip : nullptr, &target, coin() ? &observed : nullptr, noised ? &signal : nullptr,
          noised ? &noise_std : nullptr, &result))) {
    backward({take(result)});
  }
}

void scores() {
  const auto kind = float_or_double();
  const int64_t draws = 2 * (1 + below(3)), windows = size(true), group = size(true), width = size(true);
  const auto head = numbers({draws, windows, group, 2 * width}, kind, coin());
  const auto skip = numbers({windows, group, width}, kind, coin());
  const auto noise = numbers({draws, windows, group, width}, kind);
  const auto truth = numbers({windows, group, width}, kind);
  Tensor* result = nullptr;
  if (succeeded(torch_ext_crps(&head, 7.0, coin() ? &skip : nullptr, &noise, &truth, &result))) {
    backward({take(result)});
  }
}

void samples() {
  const auto kind = float_or_double();
  const int64_t draws = size(false), windows = size(true), width = size(true);
  const auto drawn = numbers({draws, windows, width}, kind);
  const auto truth = numbers({windows, width}, at::kDouble);
  const auto observed = at::randint(0, 2, {windows, width}, at::dtype(at::kBool));
  Tensor *sorted = nullptr, *result = nullptr;
  int64_t missing = 0;
  if (!succeeded(torch_ext_sort(&drawn, &sorted, &missing))) {
    broken("samples cannot be sorted");
  }
  const auto ascending = take(sorted);
  if (missing != at::isfinite(drawn).logical_not().sum().item<int64_t>()) {
    broken("values that are not finite are miscounted");
  }
  if (succeeded(torch_ext_sorted_crps(&ascending, &truth, 2.0, &result))) {
    take(result);
  }
  if (succeeded(torch_ext_energy(&drawn, &truth, 2.0, &result))) {
    take(result);
  }
  if (succeeded(torch_ext_window_sums(&ascending, &truth, &observed, &result))) {
    take(result);
  }
}

void noise() {
  const int64_t rows = size(true), width = size(true);
  const auto tensor = at::empty({rows, width}, at::dtype(at::kFloat));
  if (succeeded(torch_ext_laplace(&tensor, places())) && !at::isfinite(tensor).all().item<bool>()) {
    broken("a draw of noise is not finite");
  }
  std::vector<uint32_t> bits(rows * width);
  torch_ext_random_bits(generator(), bits.data(), width, 0, rows);
  ++calls;
}

void activations() {
  const int64_t count = size(true);
  const auto x = numbers({count}, at::kFloat).contiguous();
  std::vector<float> sigmoid(count), hyperbolic(count);
  for (int width = 0; width <= torch_ext_widest(); ++width) {
    torch_ext_activations(width, x.const_data_ptr<float>(), sigmoid.data(), hyperbolic.data(), count);
    ++calls;
  }
}

void states() {
  Tensor* state = nullptr;
  if (!succeeded(torch_ext_generator_state(0, -1, &state))) {
    broken("the generator of the CPU has no state");
  }
  const auto intact = take(state);
  auto damaged = intact.clone();
  damaged.view({-1})[below(damaged.numel())].fill_(below(256));
  const auto shorter = intact.narrow(0, 0, below(intact.numel())).contiguous();
  const auto other = numbers({8}, at::kFloat).contiguous();
  for (const auto& candidate : {damaged, shorter, other, intact}) {
    succeeded(torch_ext_set_generator_state(0, -1, &candidate));
  }
}

void regions() {
  Surroundings outer{}, inner{};
  if (succeeded(torch_ext_autocast_enter(0, 15, 1, &outer))) {
    if (torch_ext_fuses() != 0) {
      broken("a fused operation would be used under autocast");
    }
    if (succeeded(torch_ext_autocast_enter(0, coin() ? 5 : 15, 0, &inner))) {
      affine();
      succeeded(torch_ext_autocast_leave(0, inner));
    }
    succeeded(torch_ext_autocast_leave(0, outer));
  }
  if (torch_ext_fuses() != 1) {
    broken("autocast does not end");
  }
}

void devices() {
  int found = 0;
  succeeded(torch_ext_load_cuda("/nowhere", &found));
  if (found != 0) {
    broken("there is no libtorch in /nowhere");
  }
  int64_t bytes = 0;
  // This program has no CUDA, so that both fail, and their messages are freed.
  if (succeeded(torch_ext_peak_memory(0, &bytes)) || succeeded(torch_ext_reset_peak_memory(0))) {
    broken("there is no CUDA here");
  }
}

// A group of this process alone, once: it starts threads and opens sockets.
void groups() {
  void* group = nullptr;
  if (!succeeded(torch_ext_store_new("127.0.0.1", 0, 1, "driver", 20000, &group))) {
    broken("a store cannot be served");
  }
  int found = 0;
  succeeded(torch_ext_store_timeout(group, 20000));
  succeeded(torch_ext_store_set(group, "key", "value", 5));
  succeeded(torch_ext_store_claim(group, "claim", &found));
  succeeded(torch_ext_store_has(group, "key", &found));
  Tensor* value = nullptr;
  if (!succeeded(torch_ext_store_get(group, "key", &value)) || take(value).numel() != 5 || found != 1) {
    broken("the store does not keep what it was given");
  }
  if (succeeded(torch_ext_group_join_gpus(group, "/nowhere", 0, 1, 20000))) {
    broken("there is no NCCL in /nowhere");
  }
  if (!succeeded(torch_ext_group_join(group, "127.0.0.1", 0, 1, 20000))) {
    broken("a group of one does not meet");
  }
  for (int round = 0; round < 20; ++round) {
    const auto tensor = numbers({size(false), 3}, at::kFloat).contiguous();
    const auto gathered = at::zeros({coin() ? 1 : 2, tensor.size(0), 3});
    succeeded(torch_ext_group_sum(group, &tensor));
    succeeded(torch_ext_group_broadcast(group, &tensor, coin() ? 0 : 7));
    succeeded(torch_ext_group_gather(group, &tensor, &gathered));
  }
  torch_ext_group_free(group);
}

[[gnu::noinline]] int behind(const std::vector<int>& array, size_t at) {
  return array.data()[at];
}

} // namespace

int main(int count, char** arguments) {
  const std::string first = count > 1 ? arguments[1] : "1000";
  if (first == "overflow") {
    return behind(std::vector<int>(4, 0), static_cast<size_t>(count) + 2);
  }
  if (first == "undefined") {
    volatile int most = std::numeric_limits<int>::max();
    most = most + count;
    return 0;
  }
  if (first == "leave") {
    torch_ext_leave(0);
  }
  generator.seed(count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1);
  const long rounds = std::strtol(first.c_str(), nullptr, 10);
  void (*const functions[])() = {adamw,  clip,        gru,    affine,  draw,   density,
                                scores, samples, noise, activations, states, regions, devices};
  for (long round = 0; round < rounds; ++round) {
    at::set_num_threads(static_cast<int>(1 + below(3)));
    functions[below(13)]();
  }
  groups();
  std::printf("%ld rounds, %ld calls, %ld of them failed as they should\n", rounds, calls, failures);
}
