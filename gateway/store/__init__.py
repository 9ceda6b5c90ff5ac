"""Durable state: quarantine, register, outbox, notice windows, blobs. I/O."""
