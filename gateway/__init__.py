"""Inbound mail gateway: the path of a message, in the order of the folders.

1. endpoint/    a door takes the SMTP (or milter) dialogue and speaks RFC 5321 with the client
2. envelope/    turns it into a Transaction: client, HELO identity, reverse-path, forward-paths, Message
3. evidence/    says what the message can prove: SPF, DKIM, ARC, DMARC, iprev, from the message and DNS answers alone
4. identity/    names the Author, the sending unit and how well that is proven
5. policy/      decides for each recipient: relay, hold, refuse or discard, with the whole trace of why
6. quarantine/  keeps what is held, durably, before anybody hears 250
7. relay/       passes on what is relayed, live: the downstream server's replies are the client's replies
8. register/    writes down who sent what
9. responder/   answers, seldom and safely, with a notice that cites the directive
10. pipeline.py joins these steps; app.py joins them to the world; store/, resolver.py and supervisor.py are that world
"""
