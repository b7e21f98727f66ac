"""Drivers: detect, plan, install and prove them. Nothing runs that the person has not seen:

    wanted = plan(profile, files)
    done = install(wanted, logs, tell=print)
    prove(profile.id, places(profile), load_module)

One class for each way to install (`DriverInstaller`), all of them in the table `methods.INSTALLERS`.
"""
