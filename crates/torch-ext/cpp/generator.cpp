// The state of a device's default random generator.
#include "bridge.h"

#include <ATen/Context.h>
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <mutex>

namespace {

at::Generator generator_of(int device_type, int index) {
  const auto type = static_cast<at::DeviceType>(device_type);
  return at::globalContext().defaultGenerator(at::Device(type, static_cast<at::DeviceIndex>(index)));
}

} // namespace

extern "C" char* torch_ext_generator_state(int device_type, int index, at::Tensor** state) {
  return bridge::guarded([&] {
    auto generator = generator_of(device_type, index);
    const std::lock_guard<std::mutex> lock(generator.mutex());
    *state = new at::Tensor(generator.get_state());
  });
}

extern "C" char* torch_ext_set_generator_state(
    int device_type,
    int index,
    const at::Tensor* state) {
  return bridge::guarded([&] {
    auto generator = generator_of(device_type, index);
    const std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(*state);
  });
}
