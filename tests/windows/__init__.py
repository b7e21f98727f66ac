"""fieldkit on Windows, as far as Wine is one: `./dev --yes windows`."""
