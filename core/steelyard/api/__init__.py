"""The three kinds of steelyard.dev/v1alpha1 and the objects they refer to, as frozen pydantic types.

Only types, their own consistency rules and names made from them live here. Modules: `meta` (shared parts),
`backend`, `profile`, `policy` (one kind each), `resources` (the set of all).
"""
