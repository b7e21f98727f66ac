"""The handover record: made from a visit, signed with the token handed over, exported and verified:

    record = await hand_over(visits, visit.id, operator)
    judged = verify(record.pdf, trust=anchors, store=store)

PDF/A with its data inside; `verify` says whether paper, data and journal agree.
"""
