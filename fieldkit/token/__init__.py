"""Tokens: PKCS#11 modules in processes of their own, the guard before every PIN, writing as a transaction:

    with Agents([module], logs) as agents, agents.session(agents.find("MAU-01"), pin) as session:
        signature = session.signer(session.certificate()).sign(data, "SHA256_RSA_PKCS")

A module may hang, crash or print; `Agents` turns that into an error with its name and starts another.
"""
