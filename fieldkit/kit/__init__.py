"""The kit: a folder for a stick that brings fieldkit, drivers and papers to where no network is."""
