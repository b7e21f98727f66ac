"""`record verify --network` asks what any signed document's verification would, and tells every request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from fieldkit.action.trust_material import TrustMaterial
from fieldkit.home import Home, shipped
from fieldkit.record.handover import sign_record
from fieldkit.record.render import render
from fieldkit.sample import authority, issue
from tests import services
from tests.conftest import Run
from tests.pki import SoftwareSigner
from tests.record.sample import DEVICE, handing_over
from tests.services import SampleServices


@pytest.fixture
def running(tmp_path: Path) -> Iterator[SampleServices]:
    own = authority.create(tmp_path / "authority", key="ec:p256")
    with services.serving(own) as serving:
        yield serving


def test_only_servers_that_a_profile_names_are_asked_inside_the_network_about_a_record(
    fieldkit: Run, home: Home, running: SampleServices, tmp_path: Path
) -> None:
    own = running.authority
    issued = own.issue(key="ec:p256", services=running.url)
    chain = [x509.load_der_x509_certificate(der) for der in issued.chain[:1]]
    certificate = x509.load_der_x509_certificate(issued.certificate)
    officer = SoftwareSigner(issue.load_key(issued.key.reveal_bytes()), certificate, chain)
    content = handing_over(issued.certificate)
    material = TrustMaterial(own.anchors, tuple(issued.chain), own.crls)
    path = sign_record(content, render(content), officer, tmp_path, material)
    device = DEVICE.public_key().public_bytes_raw().hex()
    judging = ("record", "verify", path, "--device", device, "--trust", own.root_path)
    judging += ("--crl", own.crl_paths[0], "--json")
    inside = fieldkit(*judging, "--network")
    assert running.asked == []
    assert inside.status == 1
    assert "inside" in inside.result["requests"][0]["outcome"]
    words = (shipped("profiles") / "services.yaml").read_text()
    home.profiles.mkdir(parents=True, exist_ok=True)
    (home.profiles / "services.yaml").write_text(
        words.replace("kind: ocsp\n", f"kind: ocsp\n    url: {running.url}\n")
    )
    named = fieldkit(*judging, "--network")
    assert [request["url"] for request in named.result["requests"]][:1] == [running.ocsp]
    assert named.result["requests"][0]["outcome"] == "ok"
    checks = {check["id"]: check["verdict"] for check in named.result["signatures"][0]["checks"]}
    assert checks["revocation"] == "pass", named.result
    document = {check["id"]: check["verdict"] for check in named.result["checks"]}
    assert document["device"] == "pass", named.result
    assert "requests" not in fieldkit(*judging).result
