"""What was sent, by whom: one record per accepted message. Pure."""
