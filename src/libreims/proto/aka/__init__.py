"""UMTS authentication and key agreement (TS 33.102): SIM algorithms, vectors, both ends of the exchange."""
