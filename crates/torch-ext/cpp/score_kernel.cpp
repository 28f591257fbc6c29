// See the header; compiled for several vector widths. Everything is summed in f64.
#include "score_kernel.h"
#include "vector.h"

#include <vector>

// A short loop that is vectorized as a loop: unrolled first, it would be compiled number by number.
#if defined(__clang__)
#define ROLLED INDEPENDENT
#else
#define ROLLED _Pragma("GCC ivdep") _Pragma("GCC unroll 1")
#endif

namespace score {
namespace {

// Elements that are taken side by side: two or four cache lines.
template <typename T>
constexpr int64_t LANES = 128 / sizeof(T);

template <typename T>
INLINE void exchange(T* __restrict low, T* __restrict high) {
  ROLLED
  for (int64_t lane = 0; lane < LANES<T>; ++lane) {
    const T a = low[lane], b = high[lane];
    low[lane] = b < a ? b : a;
    high[lane] = b < a ? a : b;
  }
}

// Batcher's merge exchange, a network for any number of values: Knuth, The Art of Computer Programming, volume 3,
// algorithm 5.2.2M. Which values it compares does not depend on them, so that lanes are sorted side by side.
template <typename T>
INLINE void network(T* rows, int64_t draws) {
  int64_t top = 1;
  while (2 * top < draws) {
    top *= 2;
  }
  for (int64_t p = draws > 1 ? top : 0; p > 0; p /= 2) {
    int64_t q = top, r = 0, d = p;
    while (true) {
      for (int64_t i = 0; i + d < draws; ++i) {
        if ((i & p) == r) {
          exchange(rows + i * LANES<T>, rows + (i + d) * LANES<T>);
        }
      }
      if (q == p) {
        break;
      }
      d = q - p;
      q /= 2;
      r = p;
    }
  }
}

template <typename T>
INLINE int64_t sort_of(const T* samples, T* sorted, int64_t draws, int64_t count, int64_t begin, int64_t end, T* rows) {
  int64_t missing = 0;
  for (int64_t from = begin; from < end; from += LANES<T>) {
    const int64_t lanes = end - from < LANES<T> ? end - from : LANES<T>;
    for (int64_t draw = 0; draw < draws; ++draw) {
      const T* __restrict source = samples + draw * count + from;
      T* __restrict row = rows + draw * LANES<T>;
      int32_t wrong = 0;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        row[lane] = source[lane];
        wrong += !(source[lane] - source[lane] == 0);
      }
      missing += wrong;
    }
    network(rows, draws);
    for (int64_t draw = 0; draw < draws; ++draw) {
      const T* __restrict row = rows + draw * LANES<T>;
      T* __restrict to = sorted + draw * count + from;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        to[lane] = row[lane];
      }
    }
  }
  return missing;
}

// Lanes of sums in f64.
constexpr int64_t WIDE = 16;

// Sums over the samples of `lanes` elements from `from`: of |x - y|, (2i - S - 1)(x - y), and x - y.
struct Sums {
  double size[WIDE];
  double weighed[WIDE];
  double plain[WIDE];
};

template <typename T>
INLINE void add_up(
    const T* sorted, const double* __restrict truth, int64_t draws, int64_t count, int64_t from, int64_t lanes, Sums& sums) {
  for (int64_t lane = 0; lane < WIDE; ++lane) {
    sums.size[lane] = sums.weighed[lane] = sums.plain[lane] = 0;
  }
  for (int64_t draw = 0; draw < draws; ++draw) {
    const T* __restrict row = sorted + draw * count + from;
    const double weight = static_cast<double>(2 * draw + 1 - draws);
    INDEPENDENT
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const double error = static_cast<double>(row[lane]) - truth[from + lane];
      sums.size[lane] += error < 0 ? -error : error;
      sums.weighed[lane] += weight * error;
      sums.plain[lane] += error;
    }
  }
}

template <typename T>
INLINE void crps_of(const Crps<T>& of, int64_t draws, int64_t count, int64_t begin, int64_t end) {
  Sums sums;
  for (int64_t from = begin; from < end; from += WIDE) {
    const int64_t lanes = end - from < WIDE ? end - from : WIDE;
    add_up(of.sorted, of.truth, draws, count, from, lanes, sums);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      of.result[from + lane] = sums.size[lane] / static_cast<double>(draws) - sums.weighed[lane] / of.divisor;
    }
  }
}

// Samples that are taken side by side.
constexpr int64_t BESIDE = 8;

// Numbers of `draws` samples in whole groups.
constexpr int64_t padded(int64_t draws) {
  return (draws + BESIDE - 1) / BESIDE * BESIDE;
}

// The sum of the distances of samples first.. from a point, whose number j is at point[j * stride].
INLINE double distances(
    const double* points, const double* point, int64_t stride, int64_t first, int64_t draws, int64_t width) {
  const int64_t length = padded(draws);
  double sums[BESIDE] = {};
  for (int64_t from = first / BESIDE * BESIDE; from < draws; from += BESIDE) {
    double squares[BESIDE] = {};
    for (int64_t j = 0; j < width; ++j) {
      const double* __restrict row = points + j * length + from;
      const double own = point[j * stride];
      ROLLED
      for (int64_t lane = 0; lane < BESIDE; ++lane) {
        const double difference = row[lane] - own;
        squares[lane] += difference * difference;
      }
    }
    ROLLED
    for (int64_t lane = 0; lane < BESIDE; ++lane) {
      const double distance = vector::root(squares[lane]);
      const int64_t draw = from + lane;
      sums[lane] += draw >= first && draw < draws ? distance : 0.0;
    }
  }
  double sum = 0;
  for (const double part : sums) {
    sum += part;
  }
  return sum;
}

// Distances from differences: a matrix product cancels where samples lie close together.
template <typename T>
INLINE void energy_of(
    const Energy<T>& of, int64_t draws, int64_t windows, int64_t width, int64_t begin, int64_t end, double* points) {
  const int64_t length = padded(draws);
  for (int64_t window = begin; window < end; ++window) {
    // Number by number, so that samples lie side by side.
    for (int64_t draw = 0; draw < draws; ++draw) {
      const T* __restrict sample = of.samples + (draw * windows + window) * width;
      for (int64_t j = 0; j < width; ++j) {
        points[j * length + draw] = sample[j];
      }
    }
    const double miss = distances(points, of.truth + window * width, 1, 0, draws, width);
    double apart = 0;
    for (int64_t one = 0; one + 1 < draws; ++one) {
      apart += distances(points, points + one, length, one + 1, draws, width);
    }
    of.result[window] = miss / static_cast<double>(draws) - apart / of.divisor;
  }
}

// Where a quantile lies among sorted samples: type 7 of Hyndman & Fan.
struct Place {
  int64_t low;
  int64_t high;
  double part;
};

template <typename T>
INLINE void windows_of(
    const Windows<T>& of, int64_t draws, int64_t windows, int64_t width, int64_t begin, int64_t end) {
  const int64_t count = windows * width;
  Place places[LEVELS];
  for (int64_t k = 0; k < LEVELS; ++k) {
    const double position = static_cast<double>(k + 1) / 20.0 * static_cast<double>(draws - 1);
    const int64_t low = static_cast<int64_t>(position);
    places[k] = {low, low + 1 < draws ? low + 1 : draws - 1, position - static_cast<double>(low)};
  }
  Sums sums;
  double quantiles[LEVELS][WIDE], loss[WIDE];
  for (int64_t window = begin; window < end; ++window) {
    double total[SUMS] = {};
    for (int64_t inside = 0; inside < width; inside += WIDE) {
      const int64_t from = window * width + inside, lanes = width - inside < WIDE ? width - inside : WIDE;
      const double* __restrict truth = of.truth + from;
      add_up(of.sorted, of.truth, draws, count, from, lanes, sums);
      for (int64_t lane = 0; lane < lanes; ++lane) {
        loss[lane] = 0;
      }
      for (int64_t k = 0; k < LEVELS; ++k) {
        const T* __restrict low = of.sorted + places[k].low * count + from;
        const T* __restrict high = of.sorted + places[k].high * count + from;
        const double level = static_cast<double>(k + 1) / 20.0, part = places[k].part;
        INDEPENDENT
        for (int64_t lane = 0; lane < lanes; ++lane) {
          const double below = low[lane];
          const double quantile = below + (static_cast<double>(high[lane]) - below) * part;
          const double error = truth[lane] - quantile;
          const double over = error * level, under = error * (level - 1.0);
          quantiles[k][lane] = quantile;
          loss[lane] += over > under ? over : under;
        }
      }
      for (int64_t lane = 0; lane < lanes; ++lane) {
        if (!of.observed[from + lane]) {
          continue;
        }
        const double y = truth[lane], median = y - quantiles[MEDIAN][lane];
        const double mean = sums.plain[lane] / static_cast<double>(draws);
        const auto between = [&](int64_t low, int64_t high) {
          return y >= quantiles[low][lane] && y <= quantiles[high][lane] ? 1.0 : 0.0;
        };
        total[OBSERVED] += 1;
        total[MAGNITUDE] += y < 0 ? -y : y;
        total[QUANTILE_LOSS] += 2 * loss[lane] / LEVELS;
        total[CRPS] += sums.size[lane] / static_cast<double>(draws) -
            sums.weighed[lane] / (static_cast<double>(draws) * static_cast<double>(draws));
        total[MEDIAN_ERROR] += median < 0 ? -median : median;
        total[SQUARED_ERROR] += mean * mean;
        total[INSIDE_50] += between(4, 14);
        total[INSIDE_80] += between(1, 17);
        total[INSIDE_90] += between(0, 18);
        total[WIDTH_90] += quantiles[18][lane] - quantiles[0][lane];
        for (int64_t k = 0; k < LEVELS; ++k) {
          total[BELOW + k] += quantiles[k][lane] > y ? 1.0 : 0.0;
        }
      }
    }
    for (int64_t sum = 0; sum < SUMS; ++sum) {
      of.sums[window * SUMS + sum] = total[sum];
    }
  }
}

EVERY_WIDTH int64_t sort_all(const float* x, float* y, int64_t s, int64_t n, int64_t a, int64_t b, float* rows) {
  return sort_of(x, y, s, n, a, b, rows);
}

EVERY_WIDTH int64_t sort_all(const double* x, double* y, int64_t s, int64_t n, int64_t a, int64_t b, double* rows) {
  return sort_of(x, y, s, n, a, b, rows);
}

template <typename T>
int64_t sort_with_rows(const T* samples, T* sorted, int64_t draws, int64_t count, int64_t begin, int64_t end) {
  std::vector<T> rows(draws * LANES<T>); // lanes that stay empty hold zeros
  return sort_all(samples, sorted, draws, count, begin, end, rows.data());
}

EVERY_WIDTH void energy_all(
    const Energy<float>& of, int64_t s, int64_t n, int64_t m, int64_t a, int64_t b, double* points) {
  energy_of(of, s, n, m, a, b, points);
}

EVERY_WIDTH void energy_all(
    const Energy<double>& of, int64_t s, int64_t n, int64_t m, int64_t a, int64_t b, double* points) {
  energy_of(of, s, n, m, a, b, points);
}

template <typename T>
void energy_with_room(const Energy<T>& of, int64_t draws, int64_t windows, int64_t width, int64_t begin, int64_t end) {
  std::vector<double> points(padded(draws) * width);
  energy_all(of, draws, windows, width, begin, end, points.data());
}

} // namespace

int64_t sort(const float* samples, float* sorted, int64_t draws, int64_t count, int64_t begin, int64_t end) {
  return sort_with_rows(samples, sorted, draws, count, begin, end);
}

int64_t sort(const double* samples, double* sorted, int64_t draws, int64_t count, int64_t begin, int64_t end) {
  return sort_with_rows(samples, sorted, draws, count, begin, end);
}

void energy(const Energy<float>& of, int64_t draws, int64_t windows, int64_t width, int64_t begin, int64_t end) {
  energy_with_room(of, draws, windows, width, begin, end);
}

void energy(const Energy<double>& of, int64_t draws, int64_t windows, int64_t width, int64_t begin, int64_t end) {
  energy_with_room(of, draws, windows, width, begin, end);
}

#define KERNELS(T)                                                                                         \
  EVERY_WIDTH void crps(const Crps<T>& of, int64_t draws, int64_t count, int64_t begin, int64_t end) {     \
    crps_of(of, draws, count, begin, end);                                                                 \
  }                                                                                                        \
  EVERY_WIDTH void windows(                                                                                \
      const Windows<T>& of, int64_t draws, int64_t count, int64_t width, int64_t begin, int64_t end) {     \
    windows_of(of, draws, count, width, begin, end);                                                       \
  }

KERNELS(float)
KERNELS(double)

} // namespace score
