"""xlsform."""
