"""The journal: entries, the log they are kept in, TinyDB over it, attachments. It does not know what a token is."""
