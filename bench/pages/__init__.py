"""Measures the pages for people: what each weighs with everything it fetches, and how long the server takes.

It starts a suite of its own and asks it as a browser would. It promises nothing about what a browser does afterwards.
"""
