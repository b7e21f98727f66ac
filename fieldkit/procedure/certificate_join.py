"""Put the certificate that the authority issued onto the token where its key was made."""

from __future__ import annotations

from fieldkit.action.import_certificate import read_issued
from fieldkit.operator import Operator, ask_for_file
from fieldkit.procedure.certificate_import import put_on_token
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.text import M


async def run(context: Context, operator: Operator) -> Evidence:
    """Find the key by the certificate's public half, join them, and prove that they fit."""
    path = await ask_for_file(operator, "issued-certificate", M("The certificate the authority issued"))
    holder = await read_issued(path, context.material().purposes)
    return await put_on_token(context, operator, holder, path)
