"""Tokens: PKCS#11 in a process of its own, the PIN guard, provisioning."""
