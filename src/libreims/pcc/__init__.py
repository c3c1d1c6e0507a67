"""Policy and charging control: dedicated bearers for the media of calls (TS 23.203)."""
