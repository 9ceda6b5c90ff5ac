"""Who the evidence makes the sender: unit, level of proof, provider class, administrative submission. Pure."""
