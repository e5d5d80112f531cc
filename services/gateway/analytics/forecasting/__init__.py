"""Forecasts over HTTP: which limit is meant, what is asked, how the answer is shown and said in two languages.

It foretells nothing: the usage service does.
"""
