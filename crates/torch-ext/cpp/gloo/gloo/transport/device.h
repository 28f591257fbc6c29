// Declares as much of Gloo as c10d's headers name. libtorch ships Gloo's code, but not its headers.
#pragma once

namespace gloo {
namespace transport {
class Device;
} // namespace transport
} // namespace gloo
