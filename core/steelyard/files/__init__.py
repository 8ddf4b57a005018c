"""Resource files: reading a directory into a ResourceSet, and writing an object's status back.

`documents` knows YAML and lines, `messages` the sentences, `reading` the kinds, `writing` the disk.
The error tree is one class, `problems.FilesError`: every problem found, each with file, line and field.
"""
