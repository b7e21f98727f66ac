"""The journal: what is true. Entries in an append-only log, TinyDB over them, attachments, the device's key:

    with Store.open(folder) as store:
        entry = store.append(Draft(kind="answer", visit="v1", item="training_date", value="2026-11-24"))
        mine = list(store.entries(visit="v1"))

It knows nothing of tokens or visits. `store.damage()` says what of it is not as it was stored.
"""
