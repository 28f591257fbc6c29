// Random numbers by place: row i of an array of width w begins at i * w.
#pragma once

#include "places.h"

#include <cstdint>

namespace noise {

// The bits of rows begin..end.
void bits(uint64_t key, uint32_t* to, int64_t width, int64_t begin, int64_t end);

// Draws of the standard Laplace law, density e^-|x| / 2: a random sign on -ln u, with u uniform in (0, 1].
void laplace(uint64_t key, Places places, float* to, int64_t width, int64_t begin, int64_t end);

} // namespace noise
