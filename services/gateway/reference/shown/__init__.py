"""The description as pages: /docs, a page for each room of the API, one for errors, in two languages.

It reads the description as every program can, and adds Russian titles. It never says what the description does not.
"""
