// CUDA at run time: its library, and the memory of its devices.
#include "bridge.h"

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <dlfcn.h>

#include <string>
#include <sys/stat.h>

namespace {

// The folder of the libtorch_cpu.so that this process runs with.
std::string folder_of_libtorch() {
  Dl_info info{};
  const auto inside = reinterpret_cast<const void*>(&at::globalContext);
  TORCH_CHECK(dladdr(inside, &info) != 0 && info.dli_fname != nullptr, "libtorch_cpu has no path");
  const std::string path = info.dli_fname;
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

c10::DeviceAllocator* cuda_allocator() {
  at::globalContext().lazyInitDevice(at::kCUDA);
  return c10::getDeviceAllocator(at::kCUDA);
}

} // namespace

// Loads libtorch_cuda.so from `folder`, or from where libtorch_cpu.so lies.
extern "C" char* torch_ext_load_cuda(const char* folder, int* found) {
  return bridge::guarded([&] {
    const auto path =
        (folder == nullptr ? folder_of_libtorch() : std::string(folder)) + "/libtorch_cuda.so";
    struct stat status{};
    *found = stat(path.c_str(), &status) == 0;
    if (*found == 0) {
      return;
    }
    if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
      const char* reason = dlerror();
      TORCH_CHECK(false, reason == nullptr ? "dlopen gave no reason" : reason);
    }
  });
}

extern "C" char* torch_ext_peak_memory(int index, int64_t* bytes) {
  return bridge::guarded([&] {
    const auto stats = cuda_allocator()->getDeviceStats(static_cast<c10::DeviceIndex>(index));
    const auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    *bytes = stats.allocated_bytes[all].peak;
  });
}

extern "C" char* torch_ext_reset_peak_memory(int index) {
  return bridge::guarded(
      [&] { cuda_allocator()->resetPeakStats(static_cast<c10::DeviceIndex>(index)); });
}

extern "C" void torch_ext_free(char* text) {
  std::free(text);
}
