"""Signing PDFs with whatever signs raw bytes, a token's session first of all:

    signed = sign(Path("letter.pdf"), Path("signed.pdf"), session.signer(certificate), level="b-t", tsa=url)
    outcomes = sign_each(jobs, signer, stamp_spec=stamp)

The output appears complete or not at all, and the source stays as it was.
"""
