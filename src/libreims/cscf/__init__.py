"""The SIP server itself: one way in (`router`), one way out (`user_agent`), one hook (`callflow`)."""
