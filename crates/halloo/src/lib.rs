//! A zero-configuration WebSocket server for the local network.
