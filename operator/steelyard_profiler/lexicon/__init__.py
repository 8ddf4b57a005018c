"""What Multilingual asks with: words, numerals, forms and sentences of thirteen languages, as plain tables.

A language is named in English. Lists of one kind have the same length and order in every language. Other
names that are right too stand behind a bar, as in the tables of facts.
"""
