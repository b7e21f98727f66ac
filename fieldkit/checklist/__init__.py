"""Forms: what a visit asks, read from YAML with file, line and column of what is wrong:

    form = load(Path("checklists/handover.yaml"))
    known = Answers(form, {"devices/1": "1", "devices/1/serial": "A-77"}, datetime.now())
    known.accept("training_date", "24/11/2026")      "2026-11-24", or AnswerInvalid
    open_items = known.problems(verdicts)

Types, relevance, constraints, calculations and repeats mean what ODK's forms mean by them (docs/forms.md).
"""
