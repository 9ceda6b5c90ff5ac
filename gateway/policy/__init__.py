"""What we do about a message: the admins' files read, checked, matched and decided. Pure."""
