"""The checklist: what a visit asks, read from YAML; items, relevance, constraints."""
