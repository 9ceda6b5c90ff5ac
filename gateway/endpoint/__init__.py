"""The doors where mail enters our ADMD (RFC 5598): SMTP, later milter. I/O."""
