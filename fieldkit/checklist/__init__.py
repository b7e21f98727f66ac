"""Forms: what a visit asks, read from YAML with file, line and column of what is wrong:

    form = load(Path("checklists/handover.yaml"))
    value = check_answer(form.item("training_date"), "24/11/2026")
    open_items = Answers(form, values, today).problems(verdicts)

Relevance, constraints and expressions mean what ODK's forms mean by them (docs/forms.md).
"""
