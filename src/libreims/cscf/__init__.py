"""The SIP server's own behaviour: one way in (`router`), one way out (`user_agent`), one hook (`callflow`)."""
