//! Noise schedules, forward diffusion and re-injection of the clean signal.
