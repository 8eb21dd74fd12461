"""Mail: rendered from templates, delivered over SMTP or into the local mailbox."""
