"""Mail we pass on: live downstream transactions, the outbox and its schedule. I/O."""
