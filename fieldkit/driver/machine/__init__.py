"""The machine fieldkit runs on, looked at before work begins. Looks only; mends nothing by itself."""
