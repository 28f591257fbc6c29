//! Gaussians, likelihoods, the evidence lower bound and scoring rules.
