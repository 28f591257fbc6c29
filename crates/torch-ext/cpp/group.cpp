// Groups of processes, by c10d: a store where they meet, Gloo to exchange tensors of the CPU, and NCCL those of GPUs.
#include "bridge.h"

#define USE_C10D_GLOO
#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <c10/util/Flags.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <cstdlib>
#include <dlfcn.h>
#include <string>

C10_DECLARE_int(caffe2_log_level);

namespace {

using Milliseconds = std::chrono::milliseconds;

struct Group {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::Backend> backend;
  // NCCL, where there are GPUs and it was compiled.
  c10::intrusive_ptr<c10d::Backend> of_gpus;

  c10d::Backend& backend_of(const at::Tensor& tensor) const {
    return tensor.is_cpu() ? *backend : *of_gpus;
  }
};

// The function of nccl.cpp.
using NewNccl = char* (*)(
    const c10::intrusive_ptr<c10d::Store>*, int, int, int64_t, c10::intrusive_ptr<c10d::Backend>*);

// The network device for Gloo: the interface that the user names, loopback where all meet there, or else that of the
// name of the machine.
std::shared_ptr<::gloo::transport::Device> device_for(const std::string& host) {
  if (const char* interface = std::getenv("GLOO_SOCKET_IFNAME")) {
    return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  }
  if (host == "localhost" || host.rfind("127.", 0) == 0) {
    return c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1");
  }
  return c10d::ProcessGroupGloo::createDefaultDevice();
}

void wait(const c10::intrusive_ptr<c10d::Work>& work) {
  work->wait();
}

std::vector<uint8_t> bytes_of(const char* text, const int64_t length) {
  return {text, text + length};
}

} // namespace

extern "C" char* torch_ext_store_new(
    const char* host,
    const uint16_t port,
    const int serves,
    const char* prefix,
    const int64_t timeout_ms,
    Group** group) {
  return bridge::guarded([&] {
    // Retries and lost peers become errors of ours; libtorch's own words would stand beside them.
    if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) {
      FLAGS_caffe2_log_level = 3;
    }
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = serves != 0;
    options.waitWorkers = false;
    options.timeout = Milliseconds(timeout_ms);
    auto store = c10::make_intrusive<c10d::TCPStore>(host, options);
    auto own = c10::make_intrusive<c10d::PrefixStore>(prefix, std::move(store));
    *group = new Group{std::move(own), nullptr, nullptr};
  });
}

extern "C" char* torch_ext_group_join(
    Group* group,
    const char* host,
    const int rank,
    const int world,
    const int64_t timeout_ms) {
  return bridge::guarded([&] {
    auto options = c10d::ProcessGroupGloo::Options::create(Milliseconds(timeout_ms));
    options->devices.push_back(device_for(host));
    options->threads = 1;
    group->backend =
        c10::make_intrusive<c10d::ProcessGroupGloo>(group->store, rank, world, options);
  });
}

// Opens the library of nccl.cpp, which finds CUDA in what is loaded already.
extern "C" char* torch_ext_group_join_gpus(
    Group* group,
    const char* library,
    const int rank,
    const int world,
    const int64_t timeout_ms) {
  return bridge::guarded([&] {
    void* const handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    TORCH_CHECK(handle != nullptr, "NCCL: ", dlerror());
    const auto make = reinterpret_cast<NewNccl>(dlsym(handle, "torch_ext_nccl_new"));
    TORCH_CHECK(make != nullptr, "NCCL: ", dlerror());
    char* const failure = make(&group->store, rank, world, timeout_ms, &group->of_gpus);
    if (failure != nullptr) {
      const std::string text = failure;
      std::free(failure);
      TORCH_CHECK(false, text);
    }
  });
}

extern "C" void torch_ext_group_free(Group* group) {
  delete group;
}

extern "C" char* torch_ext_group_sum(Group* group, const at::Tensor* tensor) {
  return bridge::guarded([&] {
    std::vector<at::Tensor> tensors{*tensor};
    wait(group->backend_of(*tensor).allreduce(tensors));
  });
}

extern "C" char* torch_ext_group_broadcast(Group* group, const at::Tensor* tensor, const int from) {
  return bridge::guarded([&] {
    std::vector<at::Tensor> tensors{*tensor};
    c10d::BroadcastOptions options;
    options.rootRank = from;
    wait(group->backend_of(*tensor).broadcast(tensors, options));
  });
}

// `gathered`: [world, ...], the tensors of all ranks.
extern "C" char* torch_ext_group_gather(
    Group* group,
    const at::Tensor* tensor,
    const at::Tensor* gathered) {
  return bridge::guarded([&] {
    std::vector<std::vector<at::Tensor>> outputs{gathered->unbind(0)};
    std::vector<at::Tensor> inputs{*tensor};
    wait(group->backend_of(*tensor).allgather(outputs, inputs));
  });
}

extern "C" char* torch_ext_store_set(
    Group* group,
    const char* key,
    const char* value,
    const int64_t length) {
  return bridge::guarded([&] { group->store->set(key, bytes_of(value, length)); });
}

// Sets the key unless it is there; `first` tells whether it was not.
extern "C" char* torch_ext_store_claim(Group* group, const char* key, int* first) {
  return bridge::guarded([&] { *first = group->store->add(key, 1) == 1; });
}

extern "C" char* torch_ext_store_has(Group* group, const char* key, int* found) {
  return bridge::guarded([&] { *found = group->store->check({key}) ? 1 : 0; });
}

// The value of a key that is there, as a tensor of bytes.
extern "C" char* torch_ext_store_get(Group* group, const char* key, at::Tensor** value) {
  return bridge::guarded([&] {
    const auto bytes = group->store->get(key);
    auto tensor = at::empty({static_cast<int64_t>(bytes.size())}, at::kByte);
    std::copy(bytes.begin(), bytes.end(), tensor.data_ptr<uint8_t>());
    *value = new at::Tensor(std::move(tensor));
  });
}

// Bounds each later exchange with the store.
extern "C" char* torch_ext_store_timeout(Group* group, const int64_t timeout_ms) {
  return bridge::guarded([&] { group->store->setTimeout(Milliseconds(timeout_ms)); });
}
