// Declares as much of Gloo as c10d's headers name. libtorch ships Gloo's code, but not its headers.
#pragma once
#include <chrono>

namespace gloo {
class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};
namespace transport {
class UnboundBuffer;
} // namespace transport
} // namespace gloo
