//! Training, evaluation and forecasting: where data, noise, model and objective meet.
