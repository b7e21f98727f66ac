"""The machines of the drivers' tests are what the doctor looks at too."""

from tests.driver.conftest import connected, machine, root_and_apt

__all__ = ["connected", "machine", "root_and_apt"]
