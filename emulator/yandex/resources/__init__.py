"""What Yandex's smaller services share: routes of fields, things that a folder keeps, bytes at addresses.

Owns how these are read, paged, changed and expired; never what any one of them means.
"""
