"""The simulated phone: a program of its own beside the server (`libreims ue`).

It registers, calls, talks and listens as a VoLTE phone or a soft phone does, and shares nothing with the
server but `proto`, `net` and `base`, so that a mistake on one side is not made again on the other.  The
demo, the scenario tests and the load generator are built from it.

config        who the phone is: identities, SIM, server, what it can do
credentials   what it answers to 401 and 407, with the SIM or a password
recorder      everything sent and received, with times
changes       from state machines to coroutines
audio         what it says: tones, files, invented frames
reception     what it hears of one source
stream        one RTP stream: sends, receives, counts
negotiation   its offers and answers (RFC 3264), pure
media         the streams of one call
agent         sockets and transactions, and requests that look like a phone's
registration  REGISTER, and again in time
subscription  the reg event
call          one call, as a table of states; outgoing and incoming begin it
modification  hold, resume, re-INVITE, UPDATE
short_message texts to TPDUs and back, pure
sms           short messages sent and received
phone         all of this together
script        steps from a command line
ladder        messages as text, in columns
report        a recording as ladder rows, sentences, JSON
load          many phones at once
cli           `libreims ue`
"""
