"""cscf"""
