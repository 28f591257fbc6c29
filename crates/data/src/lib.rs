//! Tables of time series: read, split, scaled and cut into windows; no tensors.
