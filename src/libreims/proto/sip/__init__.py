"""SIP as a pure library: octets and objects in, octets and events out (RFC 3261 and its extensions).

Codec: `parser`, `message`, `headers`, `uri`, `framing`, `digest`, `validation`.  Behaviour: `stack`, the
transactions, `dialog`.
"""
