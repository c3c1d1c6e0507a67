"""proto/sip"""
