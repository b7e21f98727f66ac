"""The kit: a folder for a stick that brings fieldkit, drivers and papers to where no network is:

    built = build(prepare(folder, choice, profiles, home), profiles, home, store, tell)
    verify(folder)

`install.py` is the file on the stick that installs it: it runs on a bare Python and imports nothing of this.
"""
