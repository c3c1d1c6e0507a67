"""The capture file format pcapng (IETF draft-ietf-opsawg-pcapng): writing what Wireshark reads."""
