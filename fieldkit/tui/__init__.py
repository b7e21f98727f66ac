"""The screens: `screens` are whole ones, `widgets` their parts, `terminal` what is known of the line.

    start.run(home)

They show the visit and ask the person. Work is done in threads and its results come back as messages.
"""
