//! Variational autoencoders over windows of a time series.
