"""The remote API (manual §6): one table of commands for WebSocket, monitor and `sim_events`."""
