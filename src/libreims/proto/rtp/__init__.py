"""RTP and RTCP (RFC 3550): packets, validity, statistics. Pure: no sockets, no clock."""
