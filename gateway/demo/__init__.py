"""The gateway shown on loopback: its own DNS, receiving server and a dozen real signed messages."""
