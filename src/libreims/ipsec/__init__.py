"""IPsec between phones and P-CSCF: security agreements and their life (TS 33.203, TS 24.229 §5.2.2)."""
