// Philox4x32-10, a generator of random numbers without a state: the number at a place is a function of a key and the
// place, so that any part of an array may be drawn by itself, in any order and by any number of threads.
//
// Salmon, Moraes, Dror & Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", section 3.3.
#pragma once

#include "vector.h"

namespace philox {

// Lanes of a block, each of which gives four numbers.
constexpr int64_t LANES = 16;
constexpr int64_t BLOCK = 4 * LANES;

// The numbers `BLOCK * index ..` of a row: those of lane l are l, LANES + l, 2 LANES + l and 3 LANES + l.
INLINE void block(uint64_t key, uint64_t row, uint64_t index, uint32_t* __restrict out) {
  const uint32_t key_0 = static_cast<uint32_t>(key), key_1 = static_cast<uint32_t>(key >> 32);
  const uint64_t first = index * LANES;
  INDEPENDENT
  for (int64_t lane = 0; lane < LANES; ++lane) {
    uint32_t a = static_cast<uint32_t>(first) + static_cast<uint32_t>(lane); // no carry: `first` is a multiple of LANES
    uint32_t b = static_cast<uint32_t>(first >> 32);
    uint32_t c = static_cast<uint32_t>(row), d = static_cast<uint32_t>(row >> 32);
    uint32_t k_0 = key_0, k_1 = key_1;
    for (int round = 0; round < 10; ++round) {
      const uint64_t p = uint64_t{0xD2511F53u} * a, q = uint64_t{0xCD9E8D57u} * c;
      a = static_cast<uint32_t>(q >> 32) ^ b ^ k_0;
      b = static_cast<uint32_t>(q);
      c = static_cast<uint32_t>(p >> 32) ^ d ^ k_1;
      d = static_cast<uint32_t>(p);
      k_0 += 0x9E3779B9u;
      k_1 += 0xBB67AE85u;
    }
    out[lane] = a;
    out[LANES + lane] = b;
    out[2 * LANES + lane] = c;
    out[3 * LANES + lane] = d;
  }
}

} // namespace philox
