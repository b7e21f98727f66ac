"""PDF signatures: sign, stamp, validate, and have other tools judge."""
