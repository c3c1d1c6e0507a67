"""Short messages: TS 23.040 (TPDU), TS 24.011 (RP, CP), TS 23.038 (alphabets)."""
