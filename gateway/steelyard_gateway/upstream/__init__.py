"""The pooled HTTP/1.1 client towards engines.

Rule 1. `Client.send` puts a whole request on a kept connection, else on a new one; nothing is awaited.
Rule 2. The receiver hears `on_head`, any number of `on_data`, then `on_end`; or, at any point, `on_failure`.
        Exactly one of `on_end` and `on_failure` ends a call, and never before `send` has returned.
Rule 3. After `Call.cancel` the receiver hears nothing more, and the connection is closed unless the answer
        was complete.
Rule 4. A kept connection that the engine closed without a word is replaced once by a new one.
Rule 5. Only a connection whose last answer ended by its own framing, with nothing after it, is kept.
"""
