"""A visit: a form being filled in about a bureau, as a fold over its entries:

    visits = Visits(store, home)
    visit = visits.start("MAU-01", "handover")
    visit = visits.answer(visit.id, "training_date", "2026-11-24")
    evidence = await visits.run(visit.id, "driver", operator)

What may happen next, the officer's sign-off and amendments are decided here.
"""
