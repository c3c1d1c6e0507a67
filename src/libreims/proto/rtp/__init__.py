"""proto/rtp"""
