"""IP packets as far as IPsec needs them: headers, checksums, fragments (RFC 791, RFC 8200)."""
