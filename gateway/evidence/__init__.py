"""What a message can prove: SPF, DKIM, ARC, DMARC and iprev as a pure function of message and DNS answers."""
