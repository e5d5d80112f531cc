"""Charts: their data, and how they are drawn. The same definition serves pages, PDF and mail (ADR 36).

Knows nothing of what is shown: no service, no language, no request.
"""
