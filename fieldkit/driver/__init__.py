"""Drivers: detect, plan, install and prove them. Nothing runs that the person has not seen."""
