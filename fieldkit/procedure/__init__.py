"""Steps of a visit that answer themselves: which action, with what of the visit, and what of it is evidence.

One file for each; a checklist item of kind `procedure` names it. Each has

    async def run(context: Context, operator: Operator) -> Evidence

and leaves the work itself to `fieldkit.action`.
"""
