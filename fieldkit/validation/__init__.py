"""Verdicts on signed PDFs. Each judge is asked by itself, and none is skipped in silence:

    judgement = quorum.judge(path, anchors, crls)
    judgement.verdict          # "pass", "fail" or "indeterminate"

fieldkit's own judge, pdfsig, openssl and mutool, and one that looks: pages drawn by three engines before
and after whatever followed a signature.
"""
