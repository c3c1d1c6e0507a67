"""Media: ports for RTP and RTCP, the transparent relay between two phones, the echo."""
