//! Transports and adapters.
