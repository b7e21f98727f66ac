"""Drivers: detect, plan, install and prove them. Nothing runs that the person has not seen:

    wanted = plan(profile, files)
    done = install(wanted, logs, tell=print)
    prove(profile.id, places(profile), load_module)

One file for each way to install: apt, rpm, macOS packages, Windows installers, plain files.
"""
