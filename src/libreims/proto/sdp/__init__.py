"""proto/sdp"""
