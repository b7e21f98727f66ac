"""What this machine can do and cannot do, one probe a file:

    findings = examine(subject, probes(subject))

A probe looks and says; what mends something is offered with its commands, and run only when agreed to.
"""
