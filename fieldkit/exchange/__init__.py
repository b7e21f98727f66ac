"""edXML packages as the national exchange has them: packed, opened as a receiver must, rehearsed:

packed = pack([Path("signed.pdf")], Path("out.edxml"), header, signer=signer)
opened = open_package(Path("out.edxml"), folder, trust=anchors)
"""
