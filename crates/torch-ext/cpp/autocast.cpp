// Autocast: a region of one thread in which some operations run in a smaller number type.
#include "bridge.h"

#include <ATen/autocast_mode.h>

using at::autocast::clear_cache;
using at::autocast::decrement_nesting;

// The state to return to when a region ends.
struct Surroundings {
  int enabled;
  int kind;
};

extern "C" char* torch_ext_autocast_enter(
    int device_type,
    int kind,
    int enabled,
    Surroundings* surroundings) {
  return bridge::guarded([&] {
    const auto type = static_cast<at::DeviceType>(device_type);
    surroundings->enabled = at::autocast::is_autocast_enabled(type);
    surroundings->kind = static_cast<int>(at::autocast::get_autocast_dtype(type));
    at::autocast::set_autocast_dtype(type, static_cast<at::ScalarType>(kind));
    at::autocast::set_autocast_enabled(type, enabled != 0);
    at::autocast::increment_nesting();
  });
}

extern "C" char* torch_ext_autocast_leave(int device_type, Surroundings surroundings) {
  return bridge::guarded([&] {
    const auto type = static_cast<at::DeviceType>(device_type);
    at::autocast::set_autocast_enabled(type, surroundings.enabled != 0);
    at::autocast::set_autocast_dtype(type, static_cast<at::ScalarType>(surroundings.kind));
    // Casts of weights are dropped with the outermost region, because the weights will change.
    if (decrement_nesting() == 0) {
      clear_cache();
    }
  });
}
