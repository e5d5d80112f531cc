"""What forms of the console share: what was typed, what is wrong with it, who proves themselves, secrets shown once.

It knows no form in particular, and asks nothing of the API itself.
"""
