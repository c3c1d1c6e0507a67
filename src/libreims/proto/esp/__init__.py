"""ESP in transport mode: RFC 4303 with the algorithms of TS 33.203 Annex H and I."""
