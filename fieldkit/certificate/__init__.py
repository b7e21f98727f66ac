"""Certificates: files of every kind, what they say, their path, and whether they are a dossier's:

    contents = files.read_contents(files.load(path), ask_password, name=path.name)
    described = describe(contents.certificates[0], at=now, anchors=anchors)

Nothing here touches a token.
"""
