//! Conditioning: raw samples to the channels that the network was trained on, live and causally.
