"""The benchmark of the gateway: every figure of one table comes from one run on one machine.

`cases` says what is measured; `contestants` starts who is measured; `wrk` and `stream_load` put load on them;
`rounds` runs all of them by turns; `estimates`, `tables` and `musts` say what came out.
"""
