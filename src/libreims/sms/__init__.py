"""The SMS centre and its way to the phones: store and forward (TS 23.040), SMS over IP (TS 24.341)."""
