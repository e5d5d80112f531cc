"""Analytics: what was used, as figures and request by request; one grammar of questions for every route.

It counts nothing itself: figures come from the usage service. It never shows one user's rows to another.
"""
