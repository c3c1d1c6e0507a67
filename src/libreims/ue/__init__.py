"""The simulated phone: a program of its own beside the server (`libreims ue`).

It registers, calls, talks and listens as a VoLTE phone or a soft phone does, and shares nothing with the
server but `proto`, `net` and `base`, so that a mistake on one side is not made again on the other.  The
demo, the scenario tests and the load generator are built from it.

config        who the phone is: identities, SIM, server, what it can do
credentials   what it answers to 401 and 407, with the SIM or a password
recorder      everything sent and received, with times
audio         what it says: tones, files, invented frames
stream        one RTP stream: sends, receives, counts
media         the streams of one call, and their SDP (RFC 3264)
agent         transactions with the server: ask and be answered
registration  REGISTER and the reg event
call          one call, as a table of states
phone         all of this together
ladder        a recording as text, in columns
sentences     a recording as plain English
script        steps from the command line
cli           `libreims ue`
load          many phones at once
"""
