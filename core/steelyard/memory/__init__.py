"""Which models an engine that loads on demand has in its memory, as `spec.memory` wants it. Pure.

`planning` says what to do next, `keeping` what to ask the server for that, `requests` in which bytes. Whoever
carries it out sends the requests of one endpoint one after another: the operator, with files the gateway.
"""
