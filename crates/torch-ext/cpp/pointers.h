// The memory of tensors that may be absent, for kernels: null stands for none.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

using Maybe = std::optional<at::Tensor>;

template <typename T>
const T* read(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<T>() : nullptr;
}

template <typename T>
const T* read(const Maybe& tensor) {
  return tensor.has_value() ? read<T>(*tensor) : nullptr;
}

template <typename T>
T* write(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr<T>() : nullptr;
}
