"""`libreims ws`: a command line client of the remote API (manual §6.4), for this server and for any other of
the same protocol; it needs no code of the server."""
