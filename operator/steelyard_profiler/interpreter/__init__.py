"""Running a small part of Python that a model wrote, safely: no exec, no imports, no attributes.

`program` reads and runs, `expressions` finds values, `scopes` holds names and functions, `operations` what
values can do and at what cost, `calls` the functions and methods that there are.
"""
