//! The HTTP interface as clients meet it, good ones and bad ones, before a daemon that is made up.

mod document;
mod events;
mod hostile;
mod listeners;
mod metrics;
mod rules;
mod world;
