"""The questions, one module for each category; each ends in TEMPLATES.

A template takes draws and makes a question with its check. Questions are in our own words and ask for short
answers.
"""
