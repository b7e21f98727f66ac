"""Records: the handover record rendered from entries, exported and verified."""
