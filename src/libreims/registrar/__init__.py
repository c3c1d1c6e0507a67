"""S-CSCF registration: who may register, and who is registered."""
