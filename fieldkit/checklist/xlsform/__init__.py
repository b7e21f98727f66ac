"""The same forms as XLSForm workbooks, there and back:

    import_form(Path("survey.xlsx"), Path("checklists/survey.yaml"))
    export_form(load(Path("checklists/survey.yaml")), Path("survey.xlsx"))

What of XLSForm is taken is in docs/forms.md; what is not is named with sheet and cell.
"""
