"""The command line, one file a noun. It asks and shows; what it has done is in `fieldkit.action`:

@noun.verb("show", M("One token …"), modules=True)
def show(call: Call, name: str) -> Reply: ...
"""
