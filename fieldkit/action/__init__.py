"""What a person can have done: initialise a token, import a certificate, sign, verify, install a driver, …

One file for each. An action takes what it works on and the `Operator` it asks, and returns a typed result;
it knows no visit, no command and no screen:

    async with open_tokens(home, profiles, operator) as tokens:
        made = await initialise_token(tokens, await tokens.find("MAU-01"), "MAU-01")
    judged = verify_documents([Path("published")], VerificationOptions(material))
"""
