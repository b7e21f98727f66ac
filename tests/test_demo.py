"""The demo keeps to a home of its own: it takes the place of nobody's keys, and is believed nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldkit import demo
from fieldkit.action.trust_material import gather
from fieldkit.home import Home, shipped
from fieldkit.kit import payload
from fieldkit.kit.errors import SourceDamaged
from fieldkit.profile.load import load
from fieldkit.sample.authority import SampleAuthority, create
from tests.conftest import Run


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> SampleAuthority:
    return create(tmp_path_factory.mktemp("authority") / "sample")


@pytest.fixture(autouse=True)
def own_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOFTHSM2_CONF", "/nowhere")


def real_plan(home: Home) -> None:
    """A plan of head office's own, which is no sample."""
    (home.profiles / "plan").mkdir(parents=True)
    text = (shipped("profiles") / "plan/sample.yaml").read_text("utf-8")
    text = text.replace("id: sample\n", "id: north-2026\n").replace("sample: true\nissued", "issued")
    (home.profiles / "plan/chosen.yaml").write_text(text, "utf-8")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name",
    ["recipients/head-office.age", "store/journal-000001.fkj", "profiles/plan/2026.yaml", "letter.pdf"],
)
def test_a_home_in_use_is_left_as_it_was_and_the_way_out_is_said(
    fieldkit: Run, home: Home, name: str
) -> None:
    (home.path / name).parent.mkdir(parents=True)
    (home.path / name).write_text("mine")
    before = files(home.path)
    ran = fieldkit("demo", "--headless", "--json", "--yes")
    assert (ran.status, ran.error["code"]) == (3, "demo-home-taken")
    assert "--home" in ran.error["hint"]
    assert files(home.path) == before


def test_the_demos_own_home_serves_again_with_its_authority(home: Home) -> None:
    made = demo.lay_out(home)
    again = demo.lay_out(home)
    assert again.authority.root == made.authority.root
    (home.path / demo.MARK).unlink()  # as release 0.1 left it
    assert demo.lay_out(home).authority.root == made.authority.root
    (home.path / demo.MARK).unlink()
    (home.path / "recipients/hub.age").write_text("age1another")
    with pytest.raises(demo.HomeTaken):
        demo.lay_out(home)


def test_a_sample_authority_is_believed_only_under_a_sample_plan(
    home: Home, authority: SampleAuthority
) -> None:
    authority.install(home)
    profiles = load(home)
    assert authority.root in gather(home, profiles, profiles.trusted).anchors
    real_plan(home)
    profiles = load(home)
    assert "sample" in profiles.authorities
    assert not gather(home, profiles, profiles.trusted).anchors


def test_a_kit_for_a_real_plan_has_nothing_of_a_sample_authority(
    home: Home, authority: SampleAuthority
) -> None:
    authority.install(home)
    real_plan(home)
    profiles = load(home)
    (home.path / "sample-authority").mkdir()
    for each in ("head-office", "escrow"):
        (home.path / f"sample-authority/{each}.age").write_bytes(
            (home.path / f"recipients/{each}.age").read_bytes()
        )
    with pytest.raises(SourceDamaged):
        payload.gather(home, profiles, payload.bureaus(profiles, []), [])
    for each in ("head-office", "escrow"):
        (home.path / f"recipients/{each}.age").write_text("age1ours")
    paths = {paper.path for paper in payload.gather(home, profiles, payload.bureaus(profiles, []), [])}
    assert "recipients/escrow.age" in paths
    assert not [path for path in paths if path.startswith("profiles/authorities/sample/")]
