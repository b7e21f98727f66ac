"""The process that a token's module runs in: `python -m fieldkit.token.agent`.

The only place where PKCS#11 is called. It is started by `fieldkit.token.process` and imported by nobody.
"""
