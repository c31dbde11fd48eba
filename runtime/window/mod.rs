//! Windows: conditioned samples to `[channels, time]`, a new one every hop, and their resampling to a resolution.
