// The rows that are here of a batch whose random numbers are drawn by place, see `with_share` in Rust.
#pragma once

#include <cstdint>

struct Places {
  int64_t first; // the first row along the axis of the batch
  int64_t count; // their number
  int64_t of; // the number of all rows; 0 where all are here
  int64_t after; // rows of memory for each row of that axis

  // The place of a row of memory among those of the whole batch.
  int64_t at(int64_t row) const {
    if (of == 0) {
      return row;
    }
    const int64_t block = count * after;
    return row / block * (of * after) + first * after + row % block;
  }
};
