"""A sample authority, bureau papers and documents, made on the spot and marked as samples."""
