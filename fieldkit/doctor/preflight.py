"""All that is looked at before work begins, in one list."""

from __future__ import annotations

from fieldkit.doctor import (
    catalogue,
    clock,
    disk,
    fonts,
    modules,
    network,
    readers,
    services,
    system,
    terminal,
    trust,
    validators,
)
from fieldkit.doctor.probe import Probe, Subject


def probes(subject: Subject) -> tuple[Probe, ...]:
    """Every probe for `subject`, those about the machine itself first."""
    return (
        *system.PROBES,
        *terminal.PROBES,
        *clock.PROBES,
        *disk.PROBES,
        *readers.PROBES,
        *modules.PROBES,
        *validators.PROBES,
        *fonts.PROBES,
        *catalogue.PROBES,
        *trust.PROBES,
        *network.PROBES,
        *services.probes(subject.profiles),
    )
