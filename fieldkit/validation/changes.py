"""What may follow a signature: further signatures, timestamps, validation data, and the dates of all that.

pyHanko compares the revisions object by object; the rules here are stricter than its own. Form entries, notes
and titles are changes like any other, and so are fields that show or do something without being signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.generic import DictionaryObject
from pyhanko.sign.diff_analysis import (
    CatalogModificationRule,
    DSSCompareRule,
    FormUpdatingRule,
    MetadataUpdateRule,
    ModificationLevel,
    ObjectStreamRule,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
    SuspiciousModification,
    XrefStreamRule,
)
from pyhanko.sign.diff_analysis.policies import DEFAULT_DIFF_POLICY
from pyhanko.sign.diff_analysis.rules.metadata_rules import DocInfoRule
from pyhanko.sign.diff_analysis.rules_api import QualifiedWhitelistRule, ReferenceUpdate, WhitelistRule
from pyhanko.sign.fields import enumerate_sig_fields

from fieldkit.pdf.page import leaves

DATES = frozenset(("/ModDate", "/Producer"))
FIRST_DATES = DATES | {"/CreationDate", "/Creator"}
"""What a signer's software writes where there was no information before."""

XMP_DATES = frozenset(
    (
        "{http://ns.adobe.com/xap/1.0/}ModifyDate",
        "{http://ns.adobe.com/xap/1.0/}MetadataDate",
        "{http://ns.adobe.com/pdf/1.3/}Producer",
    )
)
XMP_HISTORY = "{http://ns.adobe.com/xap/1.0/mm/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"

FIELD_KEYS = frozenset(
    f"/{key}"
    for key in (
        *(
            "Type",
            "Subtype",
            "FT",
            "T",
            "TU",
            "V",
            "F",
            "Ff",
            "Rect",
            "P",
            "AP",
            "AS",
            "MK",
            "BS",
            "Border",
            "H",
        ),
        *("DA", "DR", "Q", "Lock", "SV", "Parent", "Kids", "NM", "M", "StructParent", "Lang"),
    )
)
"""What a signature's field may say; nothing among it acts."""


class FormEntriesChanged(SuspiciousModification):
    """Form entries were changed after the signature."""


class StrictPolicy(StandardDiffPolicy):
    """What may follow a signature here."""

    def __init__(self) -> None:
        level = ModificationLevel.LTA_UPDATES
        super().__init__(
            global_rules=[
                CatalogModificationRule(),
                _Information().as_qualified(level),
                XrefStreamRule().as_qualified(level),
                ObjectStreamRule().as_qualified(level),
                DSSCompareRule().as_qualified(level),
                _Metadata().as_qualified(level),
                _Fields(),
                _Order(),
                _Dangling(),
            ],
            form_rule=_Form(
                [SigFieldCreationRule(), SigFieldModificationRule()],
            ),
        )

    def review_file(
        self, reader: Any, base_revision: Any, field_mdp_spec: Any = None, doc_mdp: Any = None
    ) -> Any:
        strict = super().review_file(reader, base_revision, field_mdp_spec, doc_mdp)
        if not isinstance(strict, SuspiciousModification):
            return strict
        lenient = DEFAULT_DIFF_POLICY.review_file(reader, base_revision)
        if isinstance(lenient, SuspiciousModification):
            return strict
        signatures = {name for name, _, _ in enumerate_sig_fields(reader)}
        entries = lenient.changed_form_fields - signatures
        return FormEntriesChanged(", ".join(sorted(map(str, entries)))) if entries else strict


class _Information(DocInfoRule):
    """The document's information may say another date and program, and no other title."""

    def apply(self, old: Any, new: Any) -> Iterable[ReferenceUpdate]:
        before, after = (_entries(revision.trailer_view, "/Info") for revision in (old, new))
        free = DATES if before else FIRST_DATES
        changed = {key for key in {*before, *after} - free if before.get(key) != after.get(key)}
        if changed and after:
            raise SuspiciousModification(f"Information changed: {', '.join(sorted(changed))}")
        return super().apply(old, new)  # type: ignore[no-untyped-call,no-any-return,unused-ignore]


def _entries(holder: Any, key: str) -> dict[str, Any]:
    """A dictionary's entries as they stand, or none."""
    try:
        held = holder[key]
        return {name: held.raw_get(name) for name in held}
    except (KeyError, AttributeError, TypeError):
        return {}


class _Metadata(WhitelistRule):
    """The metadata may say another date and program, and no other title."""

    def apply(self, old: Any, new: Any) -> Iterable[ReferenceUpdate]:
        before, after = (_properties(revision) for revision in (old, new))
        changed = {name for name, _ in before ^ after if name not in XMP_DATES}
        changed = {name for name in changed if not name.startswith(XMP_HISTORY)}
        if changed:
            raise SuspiciousModification(f"Metadata changed: {', '.join(sorted(changed))}")
        return MetadataUpdateRule().apply(old, new)


def _properties(revision: Any) -> set[tuple[str, str]]:
    """The properties of the document's XMP, however they are written."""
    from lxml import etree

    reference = revision.root.get_value_as_reference("/Metadata", optional=True)
    if reference is None:
        return set()
    parser = etree.XMLParser(resolve_entities=False, no_network=True, encoding="utf-8")
    try:
        root = etree.fromstring(reference.get_object().read_data(DecodePurpose.XMP_METADATA), parser)
    except Exception as error:  # what is no XMP is compared as nothing else
        raise SuspiciousModification(f"Metadata cannot be read: {error}") from error
    properties = set()
    for description in root.iter(f"{RDF}Description"):
        if description.getparent().tag == f"{RDF}RDF":
            properties |= {
                (str(name), str(value)) for name, value in description.attrib.items() if name != f"{RDF}about"
            }
            properties |= {(str(child.tag), _written(child)) for child in description}
    return properties


def _written(element: Any) -> str:
    """An element's content, one way to write it: a lone text as itself."""
    text = (element.text or "").strip()
    if not len(element) and not element.attrib:
        return text
    inside = "".join(f"<{child.tag}>{_written(child)}</>" for child in element)
    attributes = "".join(f"{name}={value};" for name, value in sorted(element.attrib.items()))
    return f"[{attributes}]{text}{inside}"


class _Rule(QualifiedWhitelistRule):
    """A rule that clears nothing and may refuse."""

    def apply_qualified(self, old: Any, new: Any) -> Iterable[tuple[ModificationLevel, ReferenceUpdate]]:
        self.check(old, new)
        return ()

    def check(self, old: Any, new: Any) -> None:
        raise NotImplementedError


class _Fields(_Rule):
    """A field that was added is a signature's, does nothing, and shows nothing unless it was signed."""

    def check(self, old: Any, new: Any) -> None:
        before = {name for name, _, _ in enumerate_sig_fields(old)}
        filled = {name for name, _, _ in enumerate_sig_fields(new.reader, filled_status=True)}
        for name, _, reference in enumerate_sig_fields(new):
            if name in before:
                continue
            field = reference.get_object()
            widgets = [field, *_held(field, "/Kids")]
            strange = {key for widget in widgets for key in widget if key not in FIELD_KEYS}
            if strange:
                raise SuspiciousModification(f"Field {name} holds {', '.join(sorted(strange))}")
            if name not in filled and any(_shows(widget) for widget in widgets):
                raise SuspiciousModification(f"Field {name} is not signed and shows something")


def _held(holder: Any, key: str) -> Iterator[Any]:
    """The objects in an array of a dictionary."""
    if key in holder:
        array = holder[key]
        yield from (array[at] for at in range(len(array)))


def _shows(widget: Any) -> bool:
    """Whether a viewer may show anything of it; what is no rectangle may be mended to one."""
    if "/AP" in widget and any(_draws(widget["/AP"][key]) for key in widget["/AP"]):
        return True
    if "/Rect" not in widget:
        return False
    try:
        x1, y1, x2, y2 = (float(value) for value in widget["/Rect"])
    except (TypeError, ValueError):
        return True
    return x1 != x2 and y1 != y2


def _draws(appearance: Any) -> bool:
    """Whether an appearance, or one of its states, has content."""
    if hasattr(appearance, "data"):
        return bool(appearance.data.strip())
    return any(_draws(appearance[key]) for key in appearance)


class _Order(_Rule):
    """Fields and notes stay in their order: what lay beneath must not come up."""

    def check(self, old: Any, new: Any) -> None:
        pages = zip(leaves(old.root["/Pages"]), leaves(new.root["/Pages"]), strict=False)
        for (before, _), (after, _) in pages:
            there, now = _raw(before, "/Annots"), _raw(after, "/Annots")
            if there != now[: len(there)] or len(set(now)) != len(now):
                raise SuspiciousModification("The notes and fields of a page are in another order")
        listed, lists = (_raw(revision.root, "/AcroForm", "/Fields") for revision in (old, new))
        if [field for field in lists if field in listed] != listed:
            raise SuspiciousModification("The fields of the form are in another order")


def _raw(holder: Any, *path: str) -> list[Any]:
    """What the array at the end of this path names."""
    array = holder
    for key in path:
        if key not in array:
            return []
        array = array[key]
    return [getattr(array.raw_get(at), "reference", None) for at in range(len(array))]


class _Dangling(_Rule):
    """What was signed refers to nothing that came only later."""

    def check(self, old: Any, new: Any) -> None:
        xrefs = old.reader.xrefs  # which objects refer to which, the policy has read before it asks its rules
        for reference in new.explicit_refs_in_revision():
            if xrefs.get_historical_ref(reference, old.revision) is None and old._get_usages_of_ref(
                reference
            ):
                raise SuspiciousModification(f"{reference!r} was referred to before it was there")


class _Form(FormUpdatingRule):
    """The form's defaults, which fields are drawn with, are what they were when it was signed."""

    def apply(self, old: Any, new: Any) -> Any:
        before, after = (_entries(revision.root, "/AcroForm") for revision in (old, new))
        if not _adds_only(before.get("/DR"), after.get("/DR")):
            raise SuspiciousModification("The form's /DR was changed")
        for key in ("/DA", "/Q", "/NeedAppearances"):
            if before.get(key) != after.get(key) and (key in before or key == "/NeedAppearances"):
                raise SuspiciousModification(f"The form's {key} was changed")
        return super().apply(old, new)


def _adds_only(before: Any, after: Any) -> bool:
    """Whether every resource that was there is there as it was, however many came.

    Pictures are none that a field's text is drawn with; PDFBox keeps each signature's there.
    """
    if before is None:
        return True
    kinds, now = (_resolved(resources) for resources in (before, after))
    return all(
        name in now and _resolved(now[name]).items() >= _resolved(kinds[name]).items()
        for name in kinds
        if name != "/XObject"
    )


def _resolved(value: Any) -> dict[str, Any]:
    """A dictionary's entries as they stand; what is none is compared as a whole."""
    held = value.get_object() if value is not None else None
    return {key: held.raw_get(key) for key in held} if isinstance(held, DictionaryObject) else {"": held}
