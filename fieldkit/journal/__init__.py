"""The journal: entries, the log that keeps them, TinyDB over it, attachments. It knows nothing of tokens."""
