"""Mail we hold: entries, their states and every allowed move. Pure."""
