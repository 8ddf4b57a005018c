"""The way out: the proxy that External backends are reached through, and certificates trusted besides.

Rule 1. Only https to an External endpoint goes through the proxy, unless NO_PROXY exempts its host. What is
        Local never does.
Rule 2. The proxy's user and password go to it and, in their environment, to profiling Jobs; nowhere else.
Rule 3. What goes wrong with the proxy names it, without them, and happens before any of a request was sent.
"""
