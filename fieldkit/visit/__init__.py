"""A visit: a fold over journal entries; what may happen next, sign-off and amendments."""
