"""Bundles of a device's entries for head office, the carriers that move them, and the receipts:

    done = push(store, FolderCarrier(Path("/media/stick")), recipients)
    taken = pull(store, carrier, hub_keys)

A bundle is signed, compressed, encrypted, and believed by nobody before its chain was checked.
"""
