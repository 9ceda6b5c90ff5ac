"""The words of RFC 5321 and RFC 5322: addresses, replies, header fields, messages, transactions. Pure."""
