"""IPv4, IPv6, UDP and TCP headers as far as ESP needs them."""
